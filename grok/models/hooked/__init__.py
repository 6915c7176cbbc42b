"""The definitions: networks with TransformerLens hooks. Only this folder imports TransformerLens."""
