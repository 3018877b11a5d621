"""What a plug-in is: Protocols, one short file a kind, and the question whether a value has one of the abilities."""

from packerpy.contracts.abilities import (
    Checkpoints,
    DescribesTools,
    Diagnoses,
    Downloads,
    FillsValues,
    Finish,
    HasResources,
    KeyedAs,
    LooksForArtifacts,
    ReadsFiles,
    SavesElsewhere,
    SupportsReconnect,
    SupportsResume,
    SupportsTree,
    TellsTheWay,
    TestsArtifacts,
)
from packerpy.contracts.communicator import Communicator, CommunicatorSpec, Connector, OutputSink
from packerpy.contracts.data import DataSource, DataSpec
from packerpy.contracts.offers import offers
from packerpy.contracts.postprocessor import PostProcessor, PostProcessorSpec
from packerpy.contracts.provisioner import Provisioner, ProvisionerSpec
from packerpy.contracts.run import Cancellation, Run, Step
from packerpy.contracts.source import Source, SourceSpec

__all__ = [
    "Cancellation",
    "Checkpoints",
    "Communicator",
    "CommunicatorSpec",
    "Connector",
    "DataSource",
    "DataSpec",
    "DescribesTools",
    "Diagnoses",
    "Downloads",
    "FillsValues",
    "Finish",
    "HasResources",
    "KeyedAs",
    "LooksForArtifacts",
    "OutputSink",
    "PostProcessor",
    "PostProcessorSpec",
    "Provisioner",
    "ProvisionerSpec",
    "ReadsFiles",
    "Run",
    "SavesElsewhere",
    "Source",
    "SourceSpec",
    "Step",
    "SupportsReconnect",
    "SupportsResume",
    "SupportsTree",
    "TellsTheWay",
    "TestsArtifacts",
    "offers",
]
