"""`python -m mlops_pipeline.serving`: one process that serves one version.

The model is loaded, checked and asked once before anybody can connect: a version that fails its
self-test ends the process with status 1 and one line that says why.
"""

import argparse
import gc
import logging
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from mlops_pipeline.errors import MlopsError, ServingError

logger = logging.getLogger("mlops_pipeline.serving")


def main(argv: Sequence[str] | None = None) -> int:
    """Serves until drained; the process's status."""
    args = _parse(argv)
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s"
    )
    os.umask(0o077)  # sockets and logs are for this user alone
    os.environ["OMP_NUM_THREADS"] = "1"  # read by native libraries when they load
    try:
        _serve(args)
    except MlopsError as error:
        logger.error("server=failed model=%s version=%s %s", args.model, args.version, error)
        return 1
    return 0


def _serve(args: argparse.Namespace) -> None:
    started = time.perf_counter()
    from mlops_pipeline.registry.attestation import open_signed
    from mlops_pipeline.registry.bundle import open_bundle
    from mlops_pipeline.serving.app import ServingApp
    from mlops_pipeline.serving.compaction import Compactor
    from mlops_pipeline.serving.faults import Faults, parse_faults
    from mlops_pipeline.serving.lookups import Lookups
    from mlops_pipeline.serving.predictor import Predictor
    from mlops_pipeline.serving.request_log import RequestLog
    from mlops_pipeline.serving.scorers import load_scorer
    from mlops_pipeline.serving.server import check_socket, serve

    if args.uds is not None:
        check_socket(args.uds)
    faults = Faults(parse_faults(args.fault)) if args.fault else None
    if args.unsigned:
        logger.warning(
            "server=UNVERIFIED bundle=%s: --unsigned, so nobody vouches for these files",
            args.bundle,
        )
        bundle = open_bundle(args.bundle)
    else:
        bundle = open_signed(args.bundle, args.trust)
    if bundle.manifest.model != args.model:
        raise ServingError(
            f"--model {args.model}: {args.bundle} holds a version of {bundle.manifest.model}"
        )
    scorer = load_scorer(bundle)
    lookups = Lookups(args.features, bundle.contract, bundle.manifest.definition_digest)
    predictor = Predictor(bundle, scorer, lookups)
    lookups.start()
    compactor = Compactor(args.log, args.log_keep_days)
    log = RequestLog(args.log, rate=args.log_rate, rotated=compactor)
    log.start()
    probability = predictor.self_test()
    app = ServingApp(version=args.version, predictor=predictor, log=log, faults=faults)
    logger.info(
        "server=warmed model=%s version=%s self_test=%.6f seconds=%.3f",
        args.model,
        args.version,
        probability,
        time.perf_counter() - started,
    )
    if faults is not None:
        logger.warning("FAULT DRILL: this version fails on purpose: %s", asdict(faults.spec))
    _settle()
    try:
        serve(app, uds=args.uds, port=args.port, grace=args.grace)
    finally:
        lookups.close()
        log.close()
        logger.info("server=stopped written=%d dropped=%d", log.written, log.dropped)


def _settle() -> None:
    """What was loaded stays for good; later collections need not look at it."""
    gc.collect()
    gc.freeze()


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m mlops_pipeline.serving", description="Serves one model version over HTTP."
    )
    parser.add_argument("--bundle", type=Path, required=True, help="folder of the unpacked version")
    proof = parser.add_mutually_exclusive_group(required=True)
    proof.add_argument("--trust", type=Path, help="folder of the public keys that may sign it")
    proof.add_argument(
        "--unsigned",
        action="store_true",
        help="serve it though nobody vouches for it: on a machine of your own, for tests",
    )
    parser.add_argument("--model", required=True, help="the model's name")
    parser.add_argument("--version", required=True, help="the version's number")
    parser.add_argument(
        "--features", type=Path, required=True, help="the model's feature snapshots"
    )
    parser.add_argument("--log", type=Path, required=True, help="folder for request records")
    parser.add_argument(
        "--log-rate",
        type=float,
        default=float(os.environ.get("MLOPS_LOG_RATE", "1")),
        help="share of good answers that leave a record (MLOPS_LOG_RATE)",
    )
    parser.add_argument(
        "--log-keep-days",
        type=float,
        default=float(os.environ.get("MLOPS_LOG_KEEP_DAYS", "90")),
        help="days for which records are kept (MLOPS_LOG_KEEP_DAYS)",
    )
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--uds", type=Path, help="unix socket to listen on")
    where.add_argument("--port", type=int, help="loopback port to listen on; 0 takes a free one")
    parser.add_argument("--grace", type=float, default=0.5, help="seconds from SIGTERM to closing")
    parser.add_argument(
        "--fault", help="DRILLS ONLY: error=0.3,delay_ms=200,after=50,shadow=1,deaf=1"
    )
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
