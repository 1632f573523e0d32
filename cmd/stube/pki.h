/* cmd/stube/pki.h: a folder of certificates: ca.{crt,key}, scheduler.{crt,key}, node-NAME.conf, admin-NAME.conf, viewer-NAME.conf.
 * Keys and kubeconfigs have mode 0600, the folder 0700. */
#pragma once
#include "api/config.h"
#include "base/arena.h"
#include "base/err.h"
#include "net/pki.h"

#define PKI_LIFETIME           ((int64_t)8760 * 3600 * 1000000000)  /* a year, in ns */
#define PKI_RENEW_BEFORE       ((int64_t)720 * 3600 * 1000000000)   /* thirty days */
#define PKI_AUTHORITY_LIFETIME ((int64_t)87600 * 3600 * 1000000000) /* ten years */

enum pki_role { PKI_SCHEDULER, PKI_NODE, PKI_ADMIN, PKI_VIEWER, PKI_ROLE_COUNT };
struct pki_role_row {
	const char *word;
	const char *name_prefix; /* of the common name */
	const char *groups[2];   /* ends with NULL */
	bool server, client;
	const char *stem;        /* of the file */
};
extern const struct pki_role_row pki_roles[PKI_ROLE_COUNT];
struct pki_order {
	enum pki_role role;
	const char *name;
	const char *const *addresses; /* ends with NULL */
	const char *server;           /* in a kubeconfig */
	const char *file;             /* absolute, or in the folder; NULL: by role and name */
	int64_t lifetime;             /* 0: PKI_LIFETIME */
};
err *pki_dir_open(const char *path, bool make, int *ret_fd) MUST_CHECK;
err *pki_dir_init(struct arena *arena, int dir_fd, int64_t lifetime) MUST_CHECK; /* EEXIST */
err *pki_dir_issue(struct arena *arena, int dir_fd, const struct pki_order *order, const char **ret_file) MUST_CHECK;
/* STEM.crt and STEM.key. */
err *pki_dir_pair(struct arena *arena, int dir_fd, const char *stem, struct pki_pair *ret) MUST_CHECK;
/* A text file; the key's bytes are wiped from where they were read. */
err *pki_dir_read(struct arena *arena, int dir_fd, const char *name, const char **ret) MUST_CHECK;
err *pki_dir_write(int dir_fd, const char *stem, const struct pki_pair *pair) MUST_CHECK;
err *pki_dir_write_config(struct arena *arena, int dir_fd, const char *file, const char *server, const char *name,
			  const struct pki_pair *pair) MUST_CHECK;

/* ---- cmd/stube/pki-held.c: what an authority has issued ---- */

struct pki_held {
	const char *file; /* a name in the folder, or an absolute path: issued elsewhere */
	struct pki_info info;
	struct api_config config; /* of a kubeconfig */
	bool is_config;
	bool away; /* not readable any more where it was written; the rest is what was noted then */
};
err *pki_held_read(struct arena *arena, int dir_fd, const char *file, struct pki_held *ret) MUST_CHECK;
/* Those of the folder by name, then those elsewhere. */
err *pki_held_list(struct arena *arena, int dir_fd, struct pki_held **ret, size_t *ret_count) MUST_CHECK;
const char *pki_held_role(const struct pki_held *h); /* "authority", a role's word, "-" */
/* The same with a new key and new dates, where it was. ENOENT, EPERM: it is elsewhere, and not ours to
 * replace. */
err *pki_held_renew(struct arena *arena, int dir_fd, const struct pki_pair *authority,
		    const struct pki_held *h, int64_t lifetime) MUST_CHECK;
/* Renew it when it ends within PKI_RENEW_BEFORE. One that cannot be renewed is a warning on stderr as long as
 * it holds, then EKEYEXPIRED or what hindered. */
err *pki_held_keep(struct arena *arena, int dir_fd, const char *file, bool *ret_renewed) MUST_CHECK;
/* Remember a file outside the folder. cert: PEM. */
err *pki_held_note(struct arena *arena, int dir_fd, const char *file, enum pki_role role, const char *name,
		   const char *cert) MUST_CHECK;
