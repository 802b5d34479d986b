"""Pipelines: a YAML file that names proteins, annotations, models and settings, run as one command."""

from interplm_wh.pipeline.run import PipelineReport, run_pipeline

__all__ = ["PipelineReport", "run_pipeline"]
