"""The tags by which runs and the retrain controller speak with one another, and with CI."""

RETRAIN = "mlops/retrain"  # the number of the request that a run answers
# Of a job: the job that asks the controller for a run of it.
ASKED_BY = "mlops/asked_by"
# Of a run that asks: the config that the caller would have launched the other job with, as JSON.
RUN_CONFIG = "mlops/run_config"
# Of a run that asked: which rule had the last word, in words, and what carries the wish.
RULE = "mlops/rule"
RULING = "mlops/ruling"
REQUEST = "mlops/request"
CAME_TO = "mlops/came_to"  # the verdict that the same inputs had before
# Of a run past the controller: why somebody wanted it so.
PAST_CONTROLLER = "mlops/past_controller"
