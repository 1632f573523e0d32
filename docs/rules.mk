# docs/rules.mk: man pages and completion from the option tables, install, uninstall.
MAN        := $(PROGRAMS:%=build/man/%.1)
COMPLETION := $(PROGRAMS:%=build/completion/%)
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
	rm -f $(PROGRAMS:%=$(DESTDIR)$(BINDIR)/%) $(PROGRAMS:%=$(DESTDIR)$(MANDIR)/man1/%.1)
	rm -f $(PROGRAMS:%=$(DESTDIR)$(SHAREDIR)/bash-completion/completions/%)
.PHONY: man completion install uninstall
