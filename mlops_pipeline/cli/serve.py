"""`mlops serve`: the serving node, in the foreground."""

import logging

import click
from rich.logging import RichHandler

from mlops_pipeline.delivery.node import Node
from mlops_pipeline.monitoring.heartbeat import watching
from mlops_pipeline.settings import read_settings


@click.command()
@click.option("--quiet", is_flag=True, help="Log warnings only.")
def serve(quiet: bool) -> None:
    """Start Envoy and the model servers, and keep them up until Ctrl-C.

    After a crash of this command the servers go on; the next start takes them over. While it runs,
    a Dagster daemon that falls silent is an incident.
    """
    level = logging.WARNING if quiet else logging.INFO
    logging.basicConfig(level=level, format="%(message)s", handlers=[RichHandler(show_path=False)])
    logging.getLogger("httpx").setLevel(logging.WARNING)  # one line a health probe otherwise
    settings = read_settings()
    with watching(settings):
        Node(settings).run()
