"""What makes and measures models: scene renderer, training, conversion, quantisation.

Importing this package, or its renderer, needs numpy and OpenCV only. Modules that train or convert need the workshop's own
environment (`models/workshop/requirements.txt`), which never ships with the appliance.
"""
