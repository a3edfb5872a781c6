"""What runs say on the terminal of `reliability dev`: what is worth a line, and not every event of every step."""

import logging

import dagster as dg


@dg.logger(
    {"log_level": dg.Field(str, default_value="INFO"), "name": dg.Field(str, default_value="dagster")},
    description="Dagster's own, at INFO: its events, which the pages of a run show anyway, are DEBUG.",
)
def console(context: dg.InitLoggerContext) -> logging.Logger:
    """Dagster's console logger by another default."""
    return dg.colored_console_logger.logger_fn(context)
