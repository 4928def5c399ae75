"""What a student sees. Only here are matplotlib, ipywidgets and IPython imported, and only when first used.

``live.train`` trains in view, ``figure.show`` puts a figure into the notebook, ``figure.image_grid`` tiles images.
"""
