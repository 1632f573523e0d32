# stube-runtime: in release mode static against musl and at a fixed address, like stube-init, because half of
# a short program's life would be spent on starting glibc and on relocating tables (docs/performance.md).
# RUNTIME_LIBC=glibc: static-pie against glibc. Other modes: dynamic, against glibc.
RUNTIME_LIBC ?= musl

ifeq ($(MODE)-$(RUNTIME_LIBC),release-musl)
RUNTIME_SRC := $(wildcard cmd/stube-runtime/*.c cmd/stube-runtime/musl/*.c) \
               $(foreach m,$(call links,stube-runtime),$(wildcard $(m)/*.c))
RUNTIME_OBJ := $(RUNTIME_SRC:%.c=build/init/%.o)

# libseccomp with memory of its own (cmd/stube-runtime/musl/pool.c).
build/init/libseccomp.a: cmd/stube-runtime/rules.mk
	@mkdir -p $(@D)
	$(Q)objcopy $(foreach f,malloc calloc realloc strdup free,--redefine-sym $(f)=pool_$(f)) \
	  $$(pkg-config --variable=libdir libseccomp)/libseccomp.a $@

$(BIN)/stube-runtime: $(RUNTIME_OBJ) $(O)/version.o build/init/libseccomp.a
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)gcc $(MUSL_LINK) -o $@ $^ $$(pkg-config --variable=libdir yajl)/libyajl_s.a
build/init/cmd/stube-runtime/init-image.o: $(INIT)
-include $(RUNTIME_OBJ:.o=.d)
else
$(eval $(call program,stube-runtime))
endif
