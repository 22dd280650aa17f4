"""TFLite: torch modules built from the module list, converted by litert-torch, quantised by
ai-edge-quantizer."""
