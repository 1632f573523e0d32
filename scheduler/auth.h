/* scheduler/auth.h: who somebody is, and what they may do: fixed roles in a table.
 *
 *	administrator  everything                                    local root; certificates of O
 *system:masters viewer         reads all objects                             certificates of O stube:viewers
 *	node NAME      its own Node, Lease, Pods, their claims and   certificates of O system:nodes, CN
 *system:node:NAME Events anonymous      asks whether we live
 *
 * docs/scheduler-api.md, "Who may do what"; docs/decisions/0066. */
#pragma once
#include "api/kinds.h"
#include "net/server.h"
#include "scheduler/cache.h"

enum role {
	ROLE_ANONYMOUS,
	ROLE_STRANGER /* known, without any right */,
	ROLE_ADMINISTRATOR,
	ROLE_VIEWER,
	ROLE_NODE
};
struct identity {
	enum role role;
	const char *name; /* for logs: "uid:0", "system:node:a"; borrowed from the peer, or static */
	const char *node; /* ROLE_NODE: NAME */
};
/* own_uid: of this process: who runs the scheduler administers it. */
void identity_of(const struct peer *peer, uid_t own_uid, struct identity *ret);

enum verb {
	VERB_GET = 1 << 0,
	VERB_LIST = 1 << 1,
	VERB_WATCH = 1 << 2,
	VERB_CREATE = 1 << 3,
	VERB_UPDATE = 1 << 4,
	VERB_PATCH = 1 << 5,
	VERB_DELETE = 1 << 6,
	VERB_DELETE_ALL = 1 << 7,
};
const char *verb_name(enum verb verb);

struct access {
	enum verb verb;
	const struct kind *kind;
	const char *namespace, *name;	     /* NULL: none in the path */
	const char *subresource;	     /* NULL: the object */
	const struct field_selector *fields; /* of list and watch; NULL: none */
};
/* Before anything is read. EACCES: who are you?; EPERM: names who, what and which. */
err *auth_access(const struct identity *who, const struct cache *cache,
		 const struct access *access) MUST_CHECK;

/* What is about to be written: now: NULL: it is new; next: NULL: it will be gone. */
err *auth_write(const struct identity *who, const struct cache *cache, const struct access *access,
		const struct object *now, const struct object *next) MUST_CHECK;

/* In lists and watches: may it be seen? Judged by its content alone. */
bool auth_sees(const struct identity *who, const struct object *object);

/* Paths that are no objects: "/version". */
err *auth_path(const struct identity *who, const char *method, const char *path) MUST_CHECK;
