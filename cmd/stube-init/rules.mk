# stube-init: static against musl, because every container's first process should be small: 20 KB of libc
# instead of glibc's 700. It is built the same in every mode and embedded into stube-runtime, but for the mode
# undefended (base/defence.h), whose own one never gets near the others.
MUSL      := /usr/lib/$(shell uname -m)-linux-musl
INIT      := $(if $(filter undefended,$(MODE)),$(O),build)/bin/stube-init
INIT_O    := $(if $(filter undefended,$(MODE)),$(O),build)/init
INIT_SRC  := $(wildcard cmd/stube-init/*.c) $(addprefix base/,clock.c defence.c err.c fd.c file.c path.c str.c) \
             $(addprefix runtime/,hooks.c interrupt.c plan.c steps.c)
INIT_OBJ  := $(INIT_SRC:%.c=$(INIT_O)/%.o)
# musl's headers first, then the kernel's own.
INIT_CFLAGS := -std=gnu17 -D_GNU_SOURCE -I. $(filter-out -Wundef,$(WARN)) $(WERROR) -Os -g -fno-pie \
  -ffunction-sections -fdata-sections -fno-asynchronous-unwind-tables -fstack-protector-strong \
  -fstack-clash-protection -nostdinc \
  -isystem cmd/stube-init/musl -isystem /usr/include/$(shell uname -m)-linux-musl \
  $(if $(filter undefended,$(MODE)),-DUNDEFENDED) -isystem $$(gcc -print-file-name=include) -idirafter /usr/include \
  -idirafter /usr/include/$$(gcc -print-multiarch)

MUSL_LINK := -static -no-pie -specs $(MUSL)/musl-gcc.specs -Wl,--gc-sections,-z,relro,-z,now

$(INIT_O)/%.o: %.c
	$(call say,CC,$<)
	$(folder)
	$(Q)gcc $(INIT_CFLAGS) -MMD -MP -c -o $@ $<

$(INIT): $(INIT_OBJ)
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)gcc $(MUSL_LINK) -Wl,-z,noseparate-code -s -o $@ $^

ifneq ($(BIN)/stube-init,$(INIT))
$(BIN)/stube-init: $(INIT)
	@mkdir -p $(@D); cp $< $@
endif

$(O)/cmd/stube-runtime/init-image.o: $(INIT)
-include $(INIT_OBJ:.o=.d)
