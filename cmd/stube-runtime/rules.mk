# stube-runtime: in release mode static-pie against musl, like stube-init, because half of a short program's life would be
# spent on starting glibc (docs/performance.md). Position independent, because it reads hostile documents as root.
# RUNTIME_LIBC=glibc: static-pie against glibc. Other modes: dynamic, against glibc.
RUNTIME_LIBC ?= musl

# What `--version` calls commit: the checkout's, else the version; the file changes only when that does.
$(O)/commit: FORCE
	@mkdir -p $(@D)
	$(Q)commit=$$(git --git-dir=.git describe --always --abbrev=40 --exclude='*' 2>/dev/null || echo $(VERSION)); \
	  [ "$$(cat $@ 2>/dev/null)" = "$$commit" ] || echo "$$commit" > $@
$(O)/commit.o: $(O)/commit
	$(Q)printf 'extern const char stube_commit[]; const char stube_commit[] = "%s";\n' "$$(cat $<)" | \
	  $(CC) $(ALL_CFLAGS) -fPIE -xc -c -o $@ -
$(BIN)/stube-runtime: $(O)/commit.o
.PHONY: FORCE

ifeq ($(MODE)-$(RUNTIME_LIBC),release-musl)
RUNTIME_SRC := $(wildcard cmd/stube-runtime/*.c cmd/stube-runtime/musl/*.c) \
               $(foreach m,$(call links,stube-runtime),$(wildcard $(m)/*.c))
RUNTIME_OBJ := $(RUNTIME_SRC:%.c=build/pie/%.o)
build/pie/%.o: %.c
	$(call say,CC,$<)
	$(folder)
	$(Q)gcc $(filter-out -fno-pie,$(INIT_CFLAGS)) -fPIE -MMD -MP -c -o $@ $<

# musl-gcc's specs know no static-pie: start files and libraries are named. The code and the constants in one
# mapping instead of three: less to map, less to unmap.
comma     := ,
PIE_LINK  := -static-pie -nostdlib -nostartfiles -Wl,--gc-sections,-z,relro,-z,now,-z,noexecstack \
             -Wl,-z,noseparate-code $(if $(filter x86_64,$(shell uname -m)),-Wl$(comma)-e$(comma)stube_start) -L$(MUSL)
PIE_START := $(MUSL)/rcrt1.o $(MUSL)/crti.o
PIE_END   := -Wl,--start-group -lc -lgcc -lgcc_eh -Wl,--end-group $(MUSL)/crtn.o

# libseccomp with memory of its own (cmd/stube-runtime/musl/pool.c).
build/pie/libseccomp.a: cmd/stube-runtime/rules.mk
	@mkdir -p $(@D)
	$(Q)objcopy $(foreach f,malloc calloc realloc strdup free,--redefine-sym $(f)=pool_$(f)) \
	  $$(pkg-config --variable=libdir libseccomp)/libseccomp.a $@

$(BIN)/stube-runtime: $(RUNTIME_OBJ) $(O)/version.o build/pie/libseccomp.a
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)gcc $(PIE_LINK) -o $@ $(PIE_START) $^ $$(pkg-config --variable=libdir yajl)/libyajl_s.a $(PIE_END)
build/pie/cmd/stube-runtime/init-image.o: $(INIT)
-include $(RUNTIME_OBJ:.o=.d)
else
$(eval $(call program,stube-runtime))
endif
