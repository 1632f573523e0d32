# docs/rules.mk: man pages and completion from the option tables, install, uninstall.
# stube-init is part of stube-runtime, stube-systemd its helper: they have no command line of their own.
MANUALS    := $(filter-out stube-init stube-systemd,$(PROGRAMS))
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

# Units for the service manager, with this prefix in them.
UNITS := stube-scheduler.service stube-scheduler.socket stube-agent.service stube-agent.socket stube-pki-renew.service stube-pki-renew.timer
LIBDIR ?= $(PREFIX)/lib
# A folder for each prefix: those of another one are never taken.
PACKAGED = build/packaging$(abspath $(BINDIR))
$(PACKAGED)/%: packaging/% Makefile docs/rules.mk
	@mkdir -p $(@D)
	$(Q)sed 's|@BINDIR@|$(BINDIR)|g' $< > $@

# Podman 4 reads settings of others in /etc alone, whatever the prefix is; an ordinary user's in the home.
SYSCONFDIR ?= $(if $(or $(DESTDIR),$(filter 0,$(shell id -u))),/etc,$(or $(XDG_CONFIG_HOME),$(HOME)/.config))
PODMAN_CONF = $(DESTDIR)$(SYSCONFDIR)/containers/containers.conf.d/50-stube.conf

install: all man completion $(UNITS:%=$(PACKAGED)/%) $(PACKAGED)/containers.conf
	install -d $(DESTDIR)$(BINDIR) $(DESTDIR)$(MANDIR)/man1 $(DESTDIR)$(SHAREDIR)/bash-completion/completions
	install -m 755 $(PROGRAMS:%=build/bin/%) $(DESTDIR)$(BINDIR)
	install -m 644 $(MAN) $(DESTDIR)$(MANDIR)/man1
	install -m 644 $(COMPLETION) $(DESTDIR)$(SHAREDIR)/bash-completion/completions
	install -d $(DESTDIR)$(LIBDIR)/systemd/system $(DESTDIR)$(LIBDIR)/sysusers.d $(DESTDIR)$(LIBDIR)/tmpfiles.d
	install -m 644 $(UNITS:%=$(PACKAGED)/%) $(DESTDIR)$(LIBDIR)/systemd/system
	install -m 644 packaging/sysusers.conf $(DESTDIR)$(LIBDIR)/sysusers.d/stube.conf
	install -m 644 packaging/tmpfiles.conf $(DESTDIR)$(LIBDIR)/tmpfiles.d/stube.conf
	install -d $(dir $(PODMAN_CONF))
	install -m 644 $(PACKAGED)/containers.conf $(PODMAN_CONF)
uninstall:
	rm -f $(PODMAN_CONF)
	rm -f $(UNITS:%=$(DESTDIR)$(LIBDIR)/systemd/system/%)
	rm -f $(DESTDIR)$(LIBDIR)/sysusers.d/stube.conf $(DESTDIR)$(LIBDIR)/tmpfiles.d/stube.conf
	rm -f $(PROGRAMS:%=$(DESTDIR)$(BINDIR)/%) $(MANUALS:%=$(DESTDIR)$(MANDIR)/man1/%.1)
	rm -f $(MANUALS:%=$(DESTDIR)$(SHAREDIR)/bash-completion/completions/%)
.PHONY: man completion install uninstall
