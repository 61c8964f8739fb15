"""From stored rows to a version that may serve: data, validation, candidates, gate, registry."""

import numpy as np
import pandas as pd

from mlops_pipeline.cli.demo.story import Story
from mlops_pipeline.components.drive import Ran
from mlops_pipeline.data.labels import label_counts
from mlops_pipeline.data.windows import Window
from mlops_pipeline.evaluation.records import PAGE

FIRST, LAST = "2013-01", "2013-07"
FIRST_RELEASE = "2013-05-01"  # trained on January to March, judged on April
SPOILT = "2013-04"


def data(story: Story) -> None:
    """Seven months are stored; storing one again changes nothing."""
    months = Window.of_months(FIRST, LAST).months()
    ran = story.run("ingest", months=[FIRST, LAST])
    story.claim_ran(ran, f"{len(months)} months of flights are stored")
    before = story.house.snapshots.parts(story.contract.name)
    story.claim(sorted(before) == list(months), "one immutable part a month, named by its content")
    story.run("ingest", months=[LAST])
    after = story.house.snapshots.parts(story.contract.name)
    story.claim(before == after, "equal rows have an equal digest: ingesting again changes nothing")
    window = story.house.snapshots.window_until(story.contract)
    frame = story.house.snapshots.read(story.house.snapshots.commit(story.contract, window))
    counts = label_counts(story.contract, frame)
    story.facts["rows"] = {"labelled": counts.labelled, "unlabelled": counts.unlabelled}
    story.say(
        f"{counts.labelled:,} flights have a label, {counts.unlabelled:,} have none: "
        f"{story.contract.target.unlabelled}"
    )


def validation(story: Story) -> None:
    """Spoilt rows stop the run before anything is trained."""
    model, snapshots = story.contract.name, story.house.snapshots
    month = Window.of_month(SPOILT)
    good = snapshots.read(snapshots.commit(story.contract, month))
    snapshots.store_part(story.contract, SPOILT, _spoilt(good))
    ran = story.run("train", ops={f"{model}__snapshot": {"as_of": FIRST_RELEASE}})
    snapshots.store_part(story.contract, SPOILT, good)
    story.claim(not ran.success, "spoilt rows stop the training run")
    story.claim(
        f"{model}/snapshot:ranges" in ran.failed_checks,
        "the failed check names what is wrong: distances in kilometres",
    )
    trained = [asset for asset in ran.metadata if "/candidate_" in asset]
    story.claim(not trained, "nothing was trained on them")


def first_version(story: Story) -> None:
    """Two candidates, one goes on, is judged on a later month, and becomes version 1."""
    ran = train(story, FIRST_RELEASE)
    shown = ran.metadata[f"{story.contract.name}/evaluation"]
    story.claim(
        {f"{story.contract.name}/candidate_{c.name}" for c in story.contract.candidates}
        <= set(ran.metadata),
        f"{len(story.contract.candidates)} candidates were fitted",
    )
    story.claim(
        shown["champion"] == "first version, no baseline",
        "the report says that there is no baseline yet",
    )
    passed(story, ran, "first")


def train(story: Story, as_of: str, tags: dict[str, str] | None = None) -> Ran:
    """The training job ran as of that day."""
    name = f"{story.contract.name}__snapshot"
    return story.run("train", ops={name: {"as_of": as_of}}, tags=tags)


def passed(story: Story, ran: Ran, what: str) -> str:
    """The run's candidate passed its gate and is a version; its number."""
    model = story.contract.name
    story.claim_ran(ran, f"the {what} training run ended well")
    shown = ran.metadata[f"{model}/evaluation"]
    story.claim(
        shown["verdict"] == "promote",
        f"the gate lets {shown['candidate']} pass: ROC AUC {shown['roc_auc']:.3f} "
        f"[{shown['roc_auc_low']:.3f}, {shown['roc_auc_high']:.3f}]"
        + (f", {shown['roc_auc_gain']:+.3f} on the champion" if "roc_auc_gain" in shown else ""),
    )
    version = str(ran.metadata[f"{model}/version"]["version"])
    story.facts.setdefault("versions", {})[version] = {
        "candidate": shown["candidate"],
        "verdict": shown["verdict"],
        "roc_auc": round(float(shown["roc_auc"]), 4),
        "gain": round(float(shown["roc_auc_gain"]), 4) if "roc_auc_gain" in shown else None,
        "run": ran.run_id,
        "report": _save_report(story, version, str(shown["report"])),
    }
    story.facts[f"{what}_version"] = version
    return version


def _save_report(story: Story, version: str, digest: str) -> str:
    """The evaluation's page stands beside the story's; its file name."""
    name = f"evaluation-v{version}.html"
    page = story.house.objects.get_tree(digest)[PAGE]
    (story.house.settings.home / "demo" / name).write_bytes(page)
    return name


def _spoilt(frame: pd.DataFrame) -> pd.DataFrame:
    """As if a supplier had changed the unit of the distance."""
    spoilt = frame.copy()
    spoilt["distance"] = np.round(spoilt["distance"] * 1.609344, 1)
    return spoilt
