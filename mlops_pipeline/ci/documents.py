"""The GraphQL documents that are sent to Dagster's webserver, as 1.13 understands them."""

JOBS = """
query Jobs {
  workspaceOrError {
    __typename
    ... on Workspace {
      locationEntries {
        name
        loadStatus
        locationOrLoadError {
          __typename
          ... on RepositoryLocation { repositories { name pipelines { name } } }
          ... on PythonError { message }
        }
      }
    }
    ... on PythonError { message }
  }
}
"""

PARTITIONS = """
query Partitions($job: PipelineSelector!) {
  pipelineOrError(params: $job) {
    __typename
    ... on Pipeline { tags { key value } partitionKeysOrError { partitionKeys } }
    ... on PipelineNotFoundError { message }
    ... on InvalidSubsetError { message }
    ... on PythonError { message }
  }
}
"""

CONFIG = """
query Config($job: PipelineSelector!, $config: RunConfigData) {
  isPipelineConfigValid(pipeline: $job, mode: "default", runConfigData: $config) {
    __typename
    ... on RunConfigValidationInvalid { errors { message } }
    ... on PipelineNotFoundError { message }
    ... on InvalidSubsetError { message }
    ... on PythonError { message }
  }
}
"""

_RUN = "runId jobName status rootRunId tags { key value }"

LAUNCH = f"""
mutation Launch($params: ExecutionParams!) {{
  launchRun(executionParams: $params) {{
    __typename
    ... on LaunchRunSuccess {{ run {{ {_RUN} }} }}
    ... on RunConfigValidationInvalid {{ errors {{ message }} }}
    ... on PipelineNotFoundError {{ message }}
    ... on InvalidSubsetError {{ message }}
    ... on InvalidStepError {{ invalidStepKey }}
    ... on PresetNotFoundError {{ message }}
    ... on ConflictingExecutionParamsError {{ message }}
    ... on NoModeProvidedError {{ message }}
    ... on RunConflict {{ message }}
    ... on UnauthorizedError {{ message }}
    ... on PythonError {{ message }}
  }}
}}
"""

RUN = f"""
query Run($id: ID!) {{
  runOrError(runId: $id) {{
    __typename
    ... on Run {{ {_RUN} }}
    ... on RunNotFoundError {{ message }}
    ... on PythonError {{ message }}
  }}
}}
"""

RUNS = f"""
query Runs($filter: RunsFilter!) {{
  runsOrError(filter: $filter, limit: 100) {{
    __typename
    ... on Runs {{ results {{ {_RUN} }} }}
    ... on InvalidPipelineRunsFilterError {{ message }}
    ... on PythonError {{ message }}
  }}
}}
"""

EVENTS = """
query Events($id: ID!, $cursor: String) {
  logsForRun(runId: $id, afterCursor: $cursor, limit: 1000) {
    __typename
    ... on EventConnection {
      cursor
      hasMore
      events {
        __typename
        ... on MessageEvent { timestamp stepKey message }
        ... on MaterializationEvent {
          assetKey { path }
          metadataEntries {
            label
            ... on TextMetadataEntry { text }
            ... on MarkdownMetadataEntry { text: mdStr }
            ... on JsonMetadataEntry { text: jsonString }
            ... on TableMetadataEntry { table { records } }
          }
        }
        ... on AssetCheckEvaluationEvent {
          evaluation { checkName assetKey { path } success severity description }
        }
        ... on ExecutionStepFailureEvent { error { className message cause { message } } }
      }
    }
    ... on RunNotFoundError { message }
    ... on PythonError { message }
  }
}
"""

CANCEL = """
mutation Cancel($id: String!) {
  terminateRun(runId: $id) {
    __typename
    ... on TerminateRunSuccess { run { runId } }
    ... on TerminateRunFailure { message }
    ... on RunNotFoundError { message }
    ... on UnauthorizedError { message }
    ... on PythonError { message }
  }
}
"""
