"""The outcomes as JUnit XML: a test case for each mutant that a test could have noticed; those that survived have failed."""

from xml.etree.ElementTree import Element, SubElement, tostring

from reliability_platform.formats import printable
from reliability_platform.mutation.messages import said
from reliability_platform.mutation.score import ALIVE
from reliability_platform.mutation.session import Tested
from reliability_platform.mutation.trial import MutantStatus

MAX_NAME = 300


def junit(tested: Tested) -> str:
    """One suite."""
    counted = [one for one in tested.outcomes if one.status is MutantStatus.KILLED or one.status in ALIVE]
    alive = sum(one.status in ALIVE for one in counted)
    suite = Element(
        "testsuite", name=f"mutation test of {tested.project.name}", tests=str(len(counted)), failures=str(alive)
    )
    for one in counted:
        place = {"classname": printable(one.mutant.input.name, MAX_NAME), "name": printable(one.mutant.key, MAX_NAME)}
        case = SubElement(suite, "testcase", place, time=f"{one.seconds:.3f}")
        if one.status in ALIVE:
            SubElement(case, "failure", message=printable(said(one), MAX_NAME), type=one.status.name.lower())
    return tostring(suite, encoding="unicode", xml_declaration=True) + "\n"
