/* net/pki-terms.c: when the certificates in use end. */
#include "net/pki-terms.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "net/loop.h"
#include "net/pki.h"

enum { TERMS_MEMORY = 4 << 20 };
#define DAY ((int64_t)24 * 3600 * (int64_t)NSEC_PER_SEC)

/* One that cannot be read is not ours to judge: whoever uses it says so. */
static int64_t end_of(const char *pem)
{
	auto_arena struct arena *arena = NULL;
	struct pki_info info = { 0 };
	err *e = pem && *pem ? arena_new(TERMS_MEMORY, &arena) : NULL;

	if (!e && arena)
		e = pki_read(arena, pem, &info);
	bool known = !e;
	err_free(e);
	return known ? info.ends : 0;
}

static void warn(const char *what, int64_t ends)
{
	int64_t left = ends - clock_real();
	char when[CLOCK_TEXT_MAX], days[24];

	if (ends == 0 || left > PKI_WARN_BEFORE)
		return;
	clock_text(ends, false, when);
	snprintf(days, sizeof(days), "%lld", (long long)(left / DAY));
	log_warning(left > 0 ? "a certificate ends soon: renew it"
			     : "a certificate has ended: nobody accepts it any more",
		    "certificate", what, "ends", when, "days", left > 0 ? days : NULL, NULL);
}

static void warn_all(struct pki_terms *t)
{
	t->warned = clock_boot();
	warn("own", t->own);
	warn("authority", t->authority);
}

void pki_terms_set(struct pki_terms *t, const char *own, const char *authority)
{
	t->own = end_of(own);
	t->authority = end_of(authority);
	warn_all(t);
}

void pki_terms_look(struct pki_terms *t)
{
	if (clock_boot() - t->warned >= DAY)
		warn_all(t);
}

static void write_one(struct str *out, const char *what, int64_t ends)
{
	if (ends)
		str_addf(out, "stube_certificate_expiration_seconds{certificate=\"%s\"} %.15g\n", what,
			 (double)(ends - clock_real()) / (double)NSEC_PER_SEC);
}

void pki_terms_write(const struct pki_terms *t, struct str *out)
{
	if (!t->own && !t->authority)
		return;
	str_add(out, "# HELP stube_certificate_expiration_seconds Until a certificate in use ends; negative: "
		     "since then.\n"
		     "# TYPE stube_certificate_expiration_seconds gauge\n");
	write_one(out, "own", t->own);
	write_one(out, "authority", t->authority);
}
