"""The annotation bridge: a locally deployed CVAT annotates with the appliance's models, and human work comes back.

`functions` says what a model or a method can do for an annotator, `nuclio_api` answers CVAT as Nuclio would, `nuclio` and `cvat_cli`
run the same functions elsewhere, `deepaas` answers clients of the iMagine modules, `cvat` sends tasks out and takes annotations in.
"""
