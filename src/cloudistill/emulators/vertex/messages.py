"""The request messages of aiplatform's public contract, as far as tuning and generateContent use them.

Transcribed from the discovery documents aiplatform v1 and v1beta1, revision 20261106. A type is a scalar, an enum or a
message by name; `[]X` is a list, `{}X` a map; `open` is a message that nothing here reads, let in unjudged.
"""

from __future__ import annotations

from collections.abc import Mapping

_SIZES = tuple(
    f"ADAPTER_SIZE_{size}" for size in ("UNSPECIFIED", "ONE", "TWO", "FOUR", "EIGHT", "SIXTEEN", "THIRTY_TWO")
)
_MODES = ("TUNING_MODE_UNSPECIFIED", "TUNING_MODE_FULL", "TUNING_MODE_PEFT_ADAPTER")
ENUMS: Mapping[str, tuple[str, ...]] = {
    "SupervisedHyperParameters.AdapterSize": _SIZES,
    "SupervisedTuningSpec.TuningMode": _MODES,
    "DistillationHyperParameters.AdapterSize": _SIZES,
    "DistillationSpec.TuningMode": _MODES,
    "FunctionCallingConfig.Mode": ("MODE_UNSPECIFIED", "AUTO", "ANY", "NONE", "VALIDATED"),
    "ThinkingConfig.ThinkingLevel": ("THINKING_LEVEL_UNSPECIFIED", "LOW", "MEDIUM", "HIGH", "MINIMAL"),
    "Type": ("TYPE_UNSPECIFIED", "STRING", "NUMBER", "INTEGER", "BOOLEAN", "ARRAY", "OBJECT", "NULL"),
}

_BY_TYPE: Mapping[str, Mapping[str, str]] = {
    "TuningJob": {
        "string": "baseModel customBaseModel description outputUri serviceAccount tunedModelDisplayName",
        "{}string": "labels",
        "EncryptionSpec": "encryptionSpec",
        "PreTunedModel": "preTunedModel",
        "SupervisedTuningSpec": "supervisedTuningSpec",
        "DistillationSpec": "distillationSpec",
        "open": "fullFineTuningSpec partnerModelTuningSpec preferenceOptimizationSpec"
        " reinforcementTuningSpec veoLoraTuningSpec veoTuningSpec",
        "ignored": "createTime endTime error evaluateDatasetRuns experiment gcsMetricsUri name pipelineJob satisfiesPzi"
        " satisfiesPzs startTime state tunedModel tuningDataStats tuningJobMetadata tuningJobState updateTime",
    },
    "EncryptionSpec": {"string": "kmsKeyName"},
    "PreTunedModel": {"string": "checkpointId tunedModelName", "ignored": "baseModel"},
    "SupervisedTuningSpec": {
        "string": "trainingDatasetUri validationDatasetUri",
        "bool": "exportLastCheckpointOnly",
        "SupervisedHyperParameters": "hyperParameters",
        "SupervisedTuningSpec.TuningMode": "tuningMode",
        "open": "evaluationConfig",
    },
    "DistillationSpec": {
        "string": "baseTeacherModel pipelineRootDirectory promptDatasetUri studentModel trainingDatasetUri"
        " tunedTeacherModelSource validationDatasetUri",
        "DistillationHyperParameters": "hyperParameters",
        "DistillationSpec.TuningMode": "tuningMode",
    },
    "DistillationHyperParameters": {
        "DistillationHyperParameters.AdapterSize": "adapterSize",
        "int64": "batchSize epochCount",
        "double": "learningRate learningRateMultiplier",
    },
    "SupervisedHyperParameters": {
        "SupervisedHyperParameters.AdapterSize": "adapterSize",
        "int64": "batchSize epochCount",
        "double": "learningRate learningRateMultiplier",
    },
    "GenerateContentRequest": {
        "string": "cachedContent continuationToken",
        "{}string": "labels",
        "[]Content": "contents",
        "Content": "systemInstruction",
        "[]Tool": "tools",
        "ToolConfig": "toolConfig",
        "GenerationConfig": "generationConfig",
        "[]open": "safetySettings",
        "open": "modelArmorConfig outputConfig",
    },
    "Content": {"string": "role", "[]Part": "parts"},
    "Part": {
        "string": "mediaProcessing text thoughtSignature",
        "bool": "thought",
        "FunctionCall": "functionCall",
        "FunctionResponse": "functionResponse",
        "open": "audioTranscription codeExecutionResult executableCode fileData inlineData mediaResolution"
        " speechMetadata videoMetadata",
    },
    "FunctionCall": {"string": "id name", "struct": "args", "bool": "willContinue", "[]open": "partialArgs"},
    "FunctionResponse": {"string": "id name scheduling", "struct": "response", "[]open": "parts"},
    "Tool": {
        "[]FunctionDeclaration": "functionDeclarations",
        "open": "codeExecution computerUse enterpriseWebSearch exaAiSearch googleMaps googleSearch"
        " googleSearchRetrieval parallelAiSearch retrieval urlContext",
    },
    "FunctionDeclaration": {
        "string": "behavior description name",
        "Schema": "parameters response",
        "any": "parametersJsonSchema responseJsonSchema",
    },
    "Schema": {
        "Type": "type",
        "string": "description format pattern ref title",
        "[]string": "enum propertyOrdering required",
        "int64": "maxItems maxLength maxProperties minItems minLength minProperties",
        "double": "maximum minimum",
        "bool": "nullable",
        "Schema": "items",
        "[]Schema": "anyOf",
        "{}Schema": "defs properties",
        "any": "additionalProperties default example",
    },
    "ToolConfig": {"FunctionCallingConfig": "functionCallingConfig", "open": "retrievalConfig"},
    "FunctionCallingConfig": {
        "FunctionCallingConfig.Mode": "mode",
        "[]string": "allowedFunctionNames",
        "bool": "streamFunctionCallArguments",
    },
    "GenerationConfig": {
        "bool": "audioTimestamp enableAffectiveDialog responseLogprobs",
        "int32": "candidateCount logprobs maxOutputTokens seed",
        "double": "frequencyPenalty presencePenalty temperature topK topP",
        "string": "mediaResolution responseMimeType",
        "[]string": "responseModalities stopSequences",
        "Schema": "responseSchema",
        "ThinkingConfig": "thinkingConfig",
        "any": "responseJsonSchema",
        "[]open": "responseFormat",
        "open": "audioTranscriptionConfig imageConfig modelConfig routingConfig speechConfig translationConfig",
    },
    "ThinkingConfig": {
        "bool": "includeThoughts",
        "int32": "thinkingBudget",
        "ThinkingConfig.ThinkingLevel": "thinkingLevel",
    },
    # Training lines are described in prose, not in the contract: only what the documents show is let in.
    "TrainingLine": {"[]LineContent": "contents", "LineContent": "systemInstruction", "[]LineTool": "tools"},
    "LineContent": {"string": "role", "[]LinePart": "parts"},
    "LinePart": {
        "string": "text",
        "LineCall": "functionCall",
        "LineResponse": "functionResponse",
        "open": "fileData inlineData",
    },
    "LineCall": {"string": "name", "struct": "args"},
    "LineResponse": {"string": "name", "struct": "response"},
    "LineTool": {"[]FunctionDeclaration": "functionDeclarations"},
    "OpenLine": {"[]OpenMessage": "messages", "string": "completion prompt"},
    "OpenMessage": {"string": "content role"},
}
MESSAGES: Mapping[str, Mapping[str, str]] = {
    message: {name: kind for kind, names in kinds.items() for name in names.split()}
    for message, kinds in _BY_TYPE.items()
}


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


ONLY_V1BETA1: Mapping[str, frozenset[str]] = {
    "TuningJob": _names(
        "customBaseModel distillationSpec fullFineTuningSpec outputUri partnerModelTuningSpec pipelineJob"
        " reinforcementTuningSpec satisfiesPzi satisfiesPzs tuningJobMetadata tuningJobState veoLoraTuningSpec"
        " veoTuningSpec"
    ),
    "SupervisedTuningSpec": frozenset({"tuningMode"}),
    "SupervisedHyperParameters": frozenset({"batchSize", "learningRate"}),
}

_DATA = _names("text inlineData fileData functionCall functionResponse executableCode codeExecutionResult")
TUNING_SPECS = _names(
    "supervisedTuningSpec distillationSpec fullFineTuningSpec partnerModelTuningSpec preferenceOptimizationSpec"
    " reinforcementTuningSpec veoLoraTuningSpec veoTuningSpec"
)
ONEOFS: Mapping[str, Mapping[str, frozenset[str]]] = {
    "TuningJob": {"source_model": frozenset({"baseModel", "preTunedModel"}), "tuning_spec": TUNING_SPECS},
    "DistillationSpec": {"teacher_model": frozenset({"baseTeacherModel", "tunedTeacherModelSource"})},
    "Part": {"data": _DATA},
    "LinePart": {"data": _DATA},
}
