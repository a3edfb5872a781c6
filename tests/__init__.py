"""Tests of the platform. What is imported until all tests are collected stays: no garbage is looked for in it."""

import gc

gc.disable()
