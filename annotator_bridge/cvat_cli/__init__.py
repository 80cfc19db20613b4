"""Functions for cvat-cli and for agents of CVAT: the same ones, behind the protocols of cvat-sdk, which whoever calls them has installed.

cvat-cli task auto-annotate ID --function-module annotator_bridge.cvat_cli.detector -p pack=str:burrow-openings-starter
"""
