/* api/namespace.h: Namespace: a tenant's room for names.
 * Ref: Kubernetes core/v1 Namespace. "default" is always there. */
#pragma once
#include "api/meta.h"

enum namespace_phase { NAMESPACE_ACTIVE = 1, NAMESPACE_TERMINATING };
struct namespace_spec {
	struct strings finalizers; /* "kubernetes", as Kubernetes' servers write it; without effect */
};
struct namespace_status {
	int phase;
};
struct namespace {
	const char *api_version, *kind;
	struct meta metadata;
	struct namespace_spec spec;
	struct namespace_status status;
};
extern const struct type t_namespace;
