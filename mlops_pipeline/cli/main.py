"""`mlops`: every command, each loaded only when asked for: mlflow alone costs two seconds."""

import importlib
import os

import click

from mlops_pipeline.cli.edge import Edge

COMMANDS = {
    "alerts": "mlops_pipeline.cli.alerts:alerts",
    "aliases": "mlops_pipeline.cli.aliases:aliases",
    "ci": "mlops_pipeline.cli.ci:ci",
    "contract": "mlops_pipeline.cli.contract:contract",
    "demo": "mlops_pipeline.cli.demo.command:demo",
    "dev": "mlops_pipeline.cli.dev:dev",
    "doctor": "mlops_pipeline.cli.doctor:doctor",
    "drill": "mlops_pipeline.cli.drill:drill",
    "incidents": "mlops_pipeline.cli.incidents:incidents",
    "lineage": "mlops_pipeline.cli.lineage:lineage",
    "log": "mlops_pipeline.cli.log:log",
    "metrics": "mlops_pipeline.cli.metrics:metrics",
    "new": "mlops_pipeline.cli.new:new",
    "report": "mlops_pipeline.cli.report:report",
    "retrain": "mlops_pipeline.cli.retrain:retrain",
    "review": "mlops_pipeline.cli.review:review",
    "remediation": "mlops_pipeline.cli.remediation:remediation",
    "reproduce": "mlops_pipeline.cli.reproduce:reproduce",
    "rollback": "mlops_pipeline.cli.rollout:rollback",
    "rollout": "mlops_pipeline.cli.rollout:rollout",
    "score": "mlops_pipeline.cli.score:score",
    "serve": "mlops_pipeline.cli.serve:serve",
    "snapshots": "mlops_pipeline.cli.snapshots:snapshots",
}
NO_TELEMETRY = ("DO_NOT_TRACK", "MLFLOW_DISABLE_TELEMETRY")  # of evidently and mlflow


class Lazy(Edge):
    """A group that imports a command's module when the command is named."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every name, without importing anything."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, imported now."""
        place = COMMANDS.get(cmd_name)
        if place is None:
            return None
        for switch in NO_TELEMETRY:  # dagster's is off in dagster.yaml
            os.environ.setdefault(switch, "true")
        module, _, attribute = place.partition(":")
        command = getattr(importlib.import_module(module), attribute)
        assert isinstance(command, click.Command)
        return command


@click.group(cls=Lazy)
@click.version_option(package_name="mlops-pipeline")
def main() -> None:
    """Take a model from data to users and back again, by evidence."""


if __name__ == "__main__":
    main()
