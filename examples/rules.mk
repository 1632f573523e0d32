# examples/rules.mk: the three services, their images' trees, and `make demo`. Included by the Makefile.
EXAMPLES   := antrag bayernid portal
EXAMPLES_O := $(if $(filter release,$(MODE)),build/examples,$(O)/examples-bin)

define example
$(EXAMPLES_O)/$(1): $(patsubst %.c,$(O)/%.o,$(wildcard examples/$(1)/*.c)) $(O)/version.o $(patsubst %,$(O)/%.a,$(call in_order,$(call layer,examples)))
	$$(call say,LD,$$@)
	@mkdir -p $$(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -pie -o $$@ $$^ $$(call vendor,$$(call pkgs,$$(call layer,examples)))
endef
$(foreach e,$(EXAMPLES),$(eval $(call example,$(e))))

examples: $(EXAMPLES:%=$(EXAMPLES_O)/%)
all: examples
.PHONY: examples
# The portal carries its style sheet.
$(O)/examples/portal/assets.o: examples/portal/style.css

# Their images' trees: a program with its libraries each, packed by `stube image pack`.
image_files_bayernid := examples/bayernid/users.json:/etc/bayernid/users.json
build/examples/image/%.made: build/examples/% examples/image-tree.sh examples/bayernid/users.json
	$(call say,TREE,$(@:.made=))
	$(Q)examples/image-tree.sh $< $(@:.made=) $(image_files_$*) && touch $@
example-images: $(EXAMPLES:%=build/examples/image/%.made)

# Needs root, for sandboxes; everything it makes lies in a temporary directory and is removed again.
demo:
	$(Q)./deps build demo
	$(Q)$(MAKE) --no-print-directory $(jobs) all example-images
	$(Q)examples/demo.sh
.PHONY: example-images demo
