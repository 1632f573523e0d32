/* net/pki-terms.h: when the certificates that a program uses end: for its metrics, and for a warning in its
 * log in time. */
#pragma once
#include <stdint.h>
#include "base/err.h"
#include "base/str.h"

#define PKI_WARN_BEFORE \
	((int64_t)30 * 24 * 3600 * 1000000000) /* a month, in ns: as `stube pki renew` has it */

struct pki_terms {
	int64_t own, authority; /* ends, ns since the epoch; 0: none */
	int64_t warned;		/* clock_boot() */
};

/* Take new ones (PEM; NULL: none) and warn at once when one ends within PKI_WARN_BEFORE, or has ended. */
void pki_terms_set(struct pki_terms *t, const char *own, const char *authority);
/* Warn again when the last warning is a day old. For a timer. */
void pki_terms_look(struct pki_terms *t);
/* The family stube_certificate_expiration_seconds. */
void pki_terms_write(const struct pki_terms *t, struct str *out);
