"""What runs say on the terminal of `reliability dev`: what is worth a line, and not every event of every step."""

import logging

import dagster as dg

from reliability_platform.log_lines import JSON, json_handler
from reliability_platform.settings import load_settings


@dg.logger(
    {"log_level": dg.Field(str, default_value="INFO"), "name": dg.Field(str, default_value="dagster")},
    description="Dagster's own, at INFO: its events, which the pages of a run show anyway, are DEBUG.",
)
def console(context: dg.InitLoggerContext) -> logging.Logger:
    """Dagster's console logger by another default; lines of JSON where the setting says so."""
    if load_settings().log_format != JSON:
        return dg.colored_console_logger.logger_fn(context)
    logger = logging.Logger(context.logger_config["name"], context.logger_config["log_level"])
    logger.addHandler(json_handler())
    return logger
