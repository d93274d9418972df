"""The networks themselves: needs torch, imported only while a model is built."""
