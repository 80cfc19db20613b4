"""What stands behind the models' address for CVAT: who may call, whose turn it is, the child process, the record of what failed."""
