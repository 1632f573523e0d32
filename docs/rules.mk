# docs/rules.mk: man pages and completion from the option tables, install, uninstall.
# stube-init is part of stube-runtime and has no command line of its own.
MANUALS    := $(filter-out stube-init,$(PROGRAMS))
MAN        := $(MANUALS:%=build/man/%.1)
COMPLETION := $(MANUALS:%=build/completion/%)
build/man/%.1: build/bin/%
	$(call say,MAN,$@)
	@mkdir -p $(@D)
	$(Q)$< --print-man > $@
build/completion/%: build/bin/%
	@mkdir -p $(@D)
	$(Q)$< --print-completion > $@
man: $(MAN)
completion: $(COMPLETION)

install: all man completion
	install -d $(DESTDIR)$(BINDIR) $(DESTDIR)$(MANDIR)/man1 $(DESTDIR)$(SHAREDIR)/bash-completion/completions
	install -m 755 $(PROGRAMS:%=build/bin/%) $(DESTDIR)$(BINDIR)
	install -m 644 $(MAN) $(DESTDIR)$(MANDIR)/man1
	install -m 644 $(COMPLETION) $(DESTDIR)$(SHAREDIR)/bash-completion/completions
uninstall:
	rm -f $(PROGRAMS:%=$(DESTDIR)$(BINDIR)/%) $(MANUALS:%=$(DESTDIR)$(MANDIR)/man1/%.1)
	rm -f $(MANUALS:%=$(DESTDIR)$(SHAREDIR)/bash-completion/completions/%)
.PHONY: man completion install uninstall
