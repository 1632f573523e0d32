/* net/pki.h: keys and certificates of a cluster: one authority, servers, nodes, people. Library: libcrypto, seen only
 * in net/pki.c. X.509 (RFC 5280), ECDSA P-256; private keys are PKCS #8 PEM.
 *
 * Who somebody is, as Kubernetes has it: common name and organisations of the client certificate.
 *	node NAME      CN system:node:NAME    O system:nodes
 *	administrator  CN NAME                O system:masters
 *	viewer         CN NAME                O stube:viewers */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "base/arena.h"
#include "base/err.h"

struct pki_pair {
	const char *cert, *key; /* PEM, in the arena */
};
struct pki_request {
	const char *name;                 /* common name */
	const char *const *groups;        /* organisations; ends with NULL */
	const char *const *addresses;     /* DNS names and IP addresses of a server; ends with NULL; NULL: none */
	bool server, client;              /* extended key usage */
	int64_t lifetime;                 /* ns from now; begins a minute earlier, for clocks */
};
err *pki_authority(struct arena *arena, const char *name, int64_t lifetime, struct pki_pair *ret) MUST_CHECK;
err *pki_issue(struct arena *arena, const struct pki_pair *authority, const struct pki_request *request,
	       struct pki_pair *ret) MUST_CHECK;

struct pki_info {
	const char *name;
	const char *const *groups;
	const char *const *addresses;
	const char *serial;               /* hexadecimal */
	int64_t begins, ends;             /* ns since the epoch */
	bool authority, server, client;
};
err *pki_read(struct arena *arena, const char *cert_pem, struct pki_info *ret) MUST_CHECK;
/* That key belongs to cert, and cert is signed by the authority and in force now. */
err *pki_check(const struct pki_pair *pair, const char *authority_cert) MUST_CHECK;
