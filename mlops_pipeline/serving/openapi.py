"""The interface in OpenAPI's words, with the contract's own fields, ranges and categories."""

from typing import Any

from mlops_pipeline.contract.columns import Column, ColumnType, Severity
from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.registry.answers import score_name
from mlops_pipeline.serving.dialects import MAX_ROWS
from mlops_pipeline.serving.refusals import EARLIEST_SECONDS, LATEST_SECONDS, MAX_TEXT, allowed

Json = dict[str, Any]
_CLIENT_ERRORS = (400, 404, 405, 408, 413, 415, 422)
_TIME = r"^(19|2[01])[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])[Tt ]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]$"  # noqa: E501


def openapi(contract: ModelContract, version: str) -> Json:
    """The document; a request that keeps to it is answered 200 unless look-ups are too old."""
    model = f"/v2/models/{contract.name}"
    infer = _post("Infer", "InferenceRequest", "InferenceAnswer", "InferenceError")
    describe = _get("Metadata of the model", "ModelMetadata")
    return {
        "openapi": "3.1.0",
        "info": {
            "title": contract.title,
            "description": contract.description,
            "version": version,
        },
        "paths": {
            "/predict": {"post": _post("Predict one row", "Row", "Answer", "Error")},
            "/invocations": {"post": _invocations()},
            f"{model}/infer": {"post": infer},
            f"{model}/versions/{version}/infer": {"post": infer},
            model: {"get": describe},
            f"{model}/versions/{version}": {"get": describe},
            **{
                path: {"get": _get("Whether requests should come here", "Health", 200, 503)}
                for path in (
                    *("/healthz", "/v2/health/ready", f"{model}/ready"),
                    f"{model}/versions/{version}/ready",
                )
            },
            "/livez": {"get": _get("Whether the process runs", "Live")},
            "/v2/health/live": {"get": _get("Whether the process runs", "Live")},
            "/version": {"get": _get("What is served", "About")},
            "/v2": {"get": _get("Metadata of the server", "Server")},
            "/ping": {"get": _plain("MLflow's health check", 200, 503)},
            "/metrics": {"get": _plain("Prometheus metrics", 200)},
            "/openapi.json": {"get": _get("This document", "Document")},
        },
        "components": {"schemas": _schemas(contract, version)},
    }


def row_schema(contract: ModelContract) -> Json:
    """One row as JSON Schema."""
    columns = contract.request_columns
    closed = contract.features.unknown_category == "reject"
    return {
        "type": "object",
        "properties": {column.name: _column(column, closed) for column in columns},
        "required": [column.name for column in columns if not column.nullable],
        "additionalProperties": False,
    }


def _column(column: Column, closed: bool) -> Json:
    about = f"{column.description}; {allowed(column)}" if column.description else allowed(column)
    return {"description": about, **_or_null(_value(column, closed), column.nullable)}


def _value(column: Column, closed: bool) -> Json:
    if column.type is ColumnType.CATEGORY:
        known: Json = {"type": "string", "examples": list(column.categories[:3])}
        return {**known, **({"enum": list(column.categories)} if closed else _short())}
    if column.type is ColumnType.TEXT:
        return {"type": "string", **_short()}
    if column.type is ColumnType.TIME:
        seconds = {"minimum": EARLIEST_SECONDS, "exclusiveMaximum": LATEST_SECONDS}
        text = {"type": "string", "pattern": _TIME, "examples": ["2013-04-01T06:30:00"]}
        return {"anyOf": [text, {"type": "number", **seconds}]}
    number: Json = {"type": "integer" if column.type is ColumnType.INTEGER else "number"}
    if column.severity is Severity.ERROR:
        if column.minimum is not None:
            number["minimum"] = column.minimum
        if column.maximum is not None:
            number["maximum"] = column.maximum
    return number


def _short() -> Json:
    return {"maxLength": MAX_TEXT}


def _or_null(schema: Json, nullable: bool) -> Json:
    return {"anyOf": [schema, {"type": "null"}]} if nullable else schema


def _schemas(contract: ModelContract, version: str) -> dict[str, Json]:
    text = {"type": "string"}
    maybe = {"type": ["string", "null"]}
    about = _closed(field=maybe, what=text, allowed=maybe)
    rows = {"type": "array", "items": _ref("Row"), "minItems": 1, "maxItems": MAX_ROWS}
    day_and_age: dict[str, Any] = {
        "features_as_of": maybe,
        "features_age_days": {"type": ["integer", "null"]},
    }
    model_metadata = _closed(
        name={"const": contract.name},
        versions={"type": "array", "items": text},
        platform=text,
        inputs=_tensors(),
        outputs=_tensors(),
    )
    return {
        "Row": row_schema(contract),
        "Answer": _closed(
            id=text,
            model={"const": contract.name},
            version={"const": version},
            **_answered(contract),
            **day_and_age,
        ),
        "Error": _closed(id=text, error=about, optional=("id",)),
        "Invocation": {
            "oneOf": [
                _closed(dataframe_split=_split()),
                _closed(dataframe_records=rows),
                _closed(instances=rows),
                _closed(inputs={"anyOf": [rows, _arrays()]}),
            ]
        },
        "Predictions": _closed(predictions={"type": "array", "items": _invoked(contract)}),
        "InvocationError": _closed(
            id=text, error_code=text, message=text, error=about, optional=("id",)
        ),
        "InferenceRequest": _inference_request(tuple(contract.kind.answer)),
        "InferenceAnswer": _closed(
            model_name=text, model_version=text, id=text, outputs={"type": "array"}
        ),
        "InferenceError": _closed(id=text, error=text, detail=about, optional=("id",)),
        "ModelMetadata": model_metadata,
        "Health": _closed(ready={"type": "boolean"}, why=maybe, **day_and_age),
        "Live": _closed(live={"const": True}),
        "About": {"type": "object", "required": ["model", "version", "trainer", "contract"]},
        "Server": _closed(name=text, version=text, extensions={"type": "array", "items": text}),
        "Document": {"type": "object", "required": ["openapi", "paths"]},
    }


def _answered(contract: ModelContract) -> Json:
    """The fields of the task."""
    chance: Json = {"type": "number", "minimum": 0, "maximum": 1}
    said: Json = {
        "double": {"type": "number"},
        "boolean": {"type": "boolean"},
        "string": {"enum": list(contract.classes)},
        "map": {
            "type": "object",
            "properties": dict.fromkeys(contract.classes, chance),
            "required": list(contract.classes),
            "additionalProperties": False,
        },
    }
    fields = {name: said[kind] for name, kind in contract.kind.answer.items()}
    if contract.kind.calibrated:
        fields[score_name(contract)] = chance
    return fields


def _invoked(contract: ModelContract) -> Json:
    """What MLflow's protocol says of one row: the score alone, of classes the fields."""
    return _closed(**_answered(contract)) if contract.classes else {"type": "number"}


def _inference_request(names: tuple[str, ...]) -> Json:
    tensor = _closed(
        name={"type": "string"},
        datatype={"enum": ["FP64", "FP32", "INT64", "INT32", "BYTES"]},
        shape={"type": "array", "items": {"type": "integer", "minimum": 0}, "minItems": 1},
        data={"type": "array"},
        parameters={"type": "object"},
        optional=("parameters", "data"),
    )
    output = _closed(
        name={"enum": list(names)}, parameters={"type": "object"}, optional=("parameters",)
    )
    return _closed(
        id={"type": "string"},
        inputs={"type": "array", "items": tensor},
        outputs={"type": "array", "items": output},
        parameters={"type": "object"},
        optional=("id", "outputs", "parameters"),
    )


def _split() -> Json:
    return _closed(
        columns={"type": "array", "items": {"type": "string"}},
        data={"type": "array", "items": {"type": "array"}},
        index={"type": "array"},
        optional=("index",),
    )


def _arrays() -> Json:
    return {"type": "object", "additionalProperties": {"type": "array"}}


def _tensors() -> Json:
    return {
        "type": "array",
        "items": _closed(name={"type": "string"}, datatype={"type": "string"}, shape=_shape()),
    }


def _shape() -> Json:
    return {"type": "array", "items": {"type": "integer"}}


def _closed(*, optional: tuple[str, ...] = (), **properties: Json) -> Json:
    return {
        "type": "object",
        "properties": properties,
        "required": [name for name in properties if name not in optional],
        "additionalProperties": False,
    }


def _invocations() -> Json:
    post = _post("Predict rows in MLflow's forms", "Invocation", "Predictions", "InvocationError")
    post["requestBody"]["content"]["text/csv"] = {
        "schema": {"type": "string", "description": "a header line of column names, then rows"}
    }
    return post


def _post(summary: str, asked: str, told: str, error: str) -> Json:
    answers = {"200": _answer("predicted", told)}
    if told == "InferenceAnswer":
        answers["200"]["content"]["application/octet-stream"] = {"schema": {}}
    for status in _CLIENT_ERRORS:
        answers[str(status)] = _answer("the request is wrong, and this says where", error)
    for status in (500, 503):
        answers[str(status)] = _answer("the server is at fault", error)
    named = {"type": "string", "pattern": r"^[!-~]{1,128}$"}
    return {
        "summary": summary,
        "parameters": [
            {"name": name, "in": "header", "schema": named, "description": about}
            for name, about in (
                ("x-request-id", "the prediction's id; made where missing"),
                ("x-unit", "what a rollout randomises over; the id where missing"),
            )
        ],
        "requestBody": {"required": True, "content": {"application/json": {"schema": _ref(asked)}}},
        "responses": answers,
    }


def _get(summary: str, schema: str, *statuses: int) -> Json:
    told = {str(status): _answer(summary, schema) for status in statuses or (200,)}
    return {"summary": summary, "responses": told}


def _plain(summary: str, *statuses: int) -> Json:
    content = {"text/plain": {"schema": {"type": "string"}}}
    told = {str(status): {"description": summary, "content": content} for status in statuses}
    return {"summary": summary, "responses": told}


def _answer(description: str, schema: str) -> Json:
    return {
        "description": description,
        "content": {"application/json": {"schema": _ref(schema)}},
    }


def _ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}
