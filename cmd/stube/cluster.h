/* cmd/stube/cluster.h: what the commands for a cluster share: how to reach it, which objects are meant, how they are shown. */
#pragma once
#include "api/client.h"
#include "api/kinds.h"
#include "base/arena.h"
#include "base/cli.h"
#include "base/err.h"

struct cluster_args {
	const char *config, *namespace;
};
/* clang-format off */
#define CLUSTER_OPTIONS \
	OPT(0,   "config",    CLI_STRING, cluster.config,    "FILE", "how to reach the cluster: a kubeconfig file"), \
	OPT('n', "namespace", CLI_STRING, cluster.namespace, "NAME", "namespace (default: the configuration's, or \"default\")")
/* clang-format on */
#define CLUSTER_NOTES                                                                                \
	"The cluster is found by the first of: --config, $STUBE_CONFIG, ~/.config/stube/config,\n"   \
	"the scheduler of this machine (for root), /etc/stube/admin.conf."

struct cluster {
	struct arena *arena; /* for all that a command reads */
	struct api_config config;
	struct api_client *client;
	const char *namespace;
};
/* Into an empty one, which cluster_done() ends also after a failure. */
err *cluster_open(const struct cluster_args *args, struct cluster *ret) MUST_CHECK;
err *cluster_open_config(const struct api_config *config, struct cluster *ret) MUST_CHECK; /* texts borrowed */
void cluster_done(struct cluster *c);
DEFINE_CLEANUP_OF(struct cluster, cluster_done)
#define auto_cluster CLEANUP(cluster_done)

/* ---- operands ---- */

/* "TYPE", "TYPE NAME...", "TYPE/NAME ...": which objects are meant. */
struct target {
	const struct kind *kind;
	const char *name; /* NULL: all */
};
struct targets {
	struct target *items;
	size_t count;
};
/* more_types: several by commas ("pods,deployments"), and "all". Errors list what there is. */
err *targets_parse(struct arena *arena, char **operands, size_t count, struct targets *ret) MUST_CHECK;
/* One object; a bare NAME is of `fallback`. EINVAL for a kind that is not among `kinds` (ends with KIND_COUNT). */
err *target_parse(char *operand, const enum kind_id *allowed, struct target *ret) MUST_CHECK;
/* The same from one operand, or from two: TYPE NAME. */
err *target_parse_two(char **operands, size_t count, const enum kind_id *allowed,
		      struct target *ret) MUST_CHECK;
/* An error in the caller's words is a usage error: for calls in a command's run. */
#define TRY_USAGE(ret_status, call)        \
	do {                               \
		*(ret_status) = CLI_USAGE; \
		TRY(call);                 \
		*(ret_status) = CLI_OK;    \
	} while (0)
/* NULL for kinds without namespaces. */
const char *target_namespace(const struct cluster *c, const struct kind *kind);

/* ---- output ---- */

enum output { OUTPUT_TABLE, OUTPUT_WIDE, OUTPUT_JSON, OUTPUT_YAML, OUTPUT_NAME };
#define OUTPUT_CHOICES "table|wide|json|yaml|name"
enum output output_parse(const char *text); /* NULL: table */

/* Objects of one kind as rows; heading: with the columns' names; namespaces: with theirs. */
struct rows;
err *rows_new(const struct kind *kind, bool wide, bool namespaces, struct rows **ret) MUST_CHECK;
void rows_add(struct rows *r, const struct object *object);
/* Before the first object. */
void rows_no_headers(struct rows *r);
void rows_show_labels(struct rows *r);
void rows_wide_enough(struct rows *r); /* for rows that come later: what a Pod goes through has room */
/* A table of what was added since the last call; later tables keep the widths and have no heading. */
err *rows_print(struct rows *r) MUST_CHECK;
void rows_free(struct rows *r);
DEFINE_CLEANUP(struct rows *, rows_free)
#define auto_rows CLEANUP(rows_free)

/* As one document, or `kind: List` when `list`. */
err *output_objects(struct object **items, size_t count, bool list, enum output output) MUST_CHECK;
/* One document; in a stream of several, YAML ones are divided by "---". */
err *output_object(const struct object *object, enum output output) MUST_CHECK;
/* Any JSON text as JSON or YAML. */
err *output_json(const char *text, size_t len, enum output output) MUST_CHECK;

/* The newest last: as they happened, by the clocks of those who tell them. */
void events_sort(struct object_list *events);

/* "deployment/web": how objects are named in messages and by --output name. */
void object_label(const struct object *object, struct str *out);

/* "3m", "2h5m", "4d": time since; "-" for 0. */
const char *age_text(struct api_time since, char buf[static 24]);

/* All Pods whose controller, or whose controller's controller, is the object; or the Pod itself. */
err *pods_of(struct cluster *c, const struct target *target, struct object_list *ret) MUST_CHECK;

/* Exit status of a clear no, which is no failure: instances that find no place, a rollout that is not
 * complete in time. */
enum { STATUS_NO = 3 };

/* cmd/stube/rollout-wait.c: wait until a Deployment is complete. timeout in ns; negative: look once. With
 * *ret_status STATUS_NO: ETIMEDOUT; ECANCELED its progress deadline has passed. quiet: say nothing on the
 * way. */
err *rollout_wait(struct cluster *c, const char *namespace, const char *name, int64_t timeout, bool quiet,
		  int *ret_status) MUST_CHECK;

/* cmd/stube/drain.c: let no new Pods come to a node, or again; end all that is there, whatever becomes of it. timeout in ns. */
err *node_cordon(struct cluster *c, const char *node, bool on) MUST_CHECK;
err *node_empty(struct cluster *c, const char *node, int64_t timeout) MUST_CHECK;
