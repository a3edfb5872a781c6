"""A kill and every drill on trials of a recording, as `reliability campaign --with-kills 1 --with-drills` does them after its grid."""

import json
import sys
from pathlib import Path

from reliability_platform.clock import utc_now
from reliability_platform.lab.campaign.kills import run_kills
from reliability_platform.lab.campaign.rehearsals import run_drills
from reliability_platform.lab.recordings.recording import Recording


def main(home: Path) -> None:
    recording = Recording.open(home / "recording")
    drills = run_drills(home / "drills-of-a-trial", 7, utc_now, recording=recording)
    kills = run_kills(home / "kills-of-a-trial", 1, 7, recording=recording)
    sys.stdout.write(json.dumps({"drills": drills, "kills": kills}, default=str) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
