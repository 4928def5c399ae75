"""The architectures: one file, one paper. Import from the file: ``from ganedu.models.vanilla import VanillaGAN``."""
