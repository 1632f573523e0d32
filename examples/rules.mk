# examples/rules.mk: the three services, their images' trees, and `make demo`. Included by the Makefile.
EXAMPLES   := antrag bayernid portal
EXAMPLES_O := $(if $(filter release,$(MODE)),build/examples,$(O)/examples-bin)

define example
$(EXAMPLES_O)/$(1): $(patsubst %.c,$(O)/%.o,$(wildcard examples/$(1)/*.c)) $(O)/version.o $(patsubst %,$(O)/%.a,$(call in_order,$(call layer,examples)))
	$$(call say,LD,$$@)
	@mkdir -p $$(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -pie -o $$@ $$^ $(call vendor,$(call pkgs,$(call layer,examples)))
endef
$(foreach e,$(EXAMPLES),$(eval $(call example,$(e))))

examples: $(EXAMPLES:%=$(EXAMPLES_O)/%)
all: examples
.PHONY: examples
# The portal carries its style sheet.
$(O)/examples/portal/assets.o: examples/portal/style.css
