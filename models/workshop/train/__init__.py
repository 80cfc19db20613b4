"""Training with ultralytics' trainer, as a tool of the workshop: `python -m models.workshop.train WORK_FOLDER`.

data        images and boxes of a work folder as the trainer wants them, at the appliance's own scale
base        the network to start from: random weights, or those of a pack with their batch norms given back
trainer     ultralytics' trainer, offline, with checkpoints that are whole and a clock
faults      what went wrong, as one clear error
"""
