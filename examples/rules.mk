# examples/rules.mk: the three services, their images' trees, and `make demo`. Included by the Makefile.
