/* api/pod.h: a Pod, the strict subset of Kubernetes' core/v1 that Stube implements.
 *
 * A known field that Stube does not implement is accepted while it holds its empty or documented
 * default value, and refused by name otherwise; an unknown key is refused. Where Stube's default
 * differs from Kubernetes' it is the safer one: readOnlyRootFilesystem and hostUsers false become
 * true and false when nobody says, allowPrivilegeEscalation false. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "api/meta.h"
#include "api/node.h"
#include "api/quantity.h"
#include "api/selector.h"
#include "base/arena.h"
#include "base/decode.h"
#include "base/err.h"
#include "base/str.h"

/* Annotations and labels of our own begin with this. */
#define POD_PREFIX STUBE_PREFIX
#define POD_PIDS_LIMIT  POD_PREFIX "pids-limit"  /* processes of each container; a whole number */
#define POD_STOP_SIGNAL POD_PREFIX "stop-signal" /* instead of the image's */

enum pod_restart { POD_RESTART_ALWAYS = 1, POD_RESTART_ON_FAILURE, POD_RESTART_NEVER };
enum pod_pull { POD_PULL_ALWAYS = 1, POD_PULL_IF_NOT_PRESENT, POD_PULL_NEVER };
enum pod_protocol { POD_TCP = 1, POD_UDP, POD_SCTP };
enum pod_medium { POD_MEDIUM_DISK = 1, POD_MEDIUM_MEMORY };
enum pod_host_path {
	POD_PATH_ANY = 1, POD_PATH_DIRECTORY, POD_PATH_FILE, POD_PATH_SOCKET,
	POD_PATH_CHAR_DEVICE, POD_PATH_BLOCK_DEVICE,
};
enum pod_seccomp { POD_SECCOMP_DEFAULT = 1, POD_SECCOMP_UNCONFINED };

struct pod_env {
	const char *name, *value; /* value: "" when absent; $(NAME) is expanded as Kubernetes does */
};
struct pod_port {
	const char *name;
	uint16_t container_port;
	uint16_t host_port; /* with hostNetwork the same as container_port; else not supported yet; 0: none */
	int protocol;
};
struct pod_mount {
	const char *name;       /* of the volume */
	const char *mount_path; /* absolute, in the container */
	bool read_only;
};
struct pod_amounts {
	struct quantity cpu, memory;
};
struct pod_resources {
	struct pod_amounts limits, requests;
};
struct pod_capabilities {
	struct strings add, drop; /* "NET_BIND_SERVICE" or "CAP_NET_BIND_SERVICE"; drop also "ALL" */
};
struct pod_seccomp_profile {
	int type;
};
struct pod_security { /* of a container; absent members fall back to the Pod's */
	const int64_t *run_as_user, *run_as_group;
	const bool *run_as_non_root;
	const bool *read_only_root; /* NULL: true */
	const bool *allow_privilege_escalation; /* NULL: false */
	struct pod_capabilities capabilities;
	const struct pod_seccomp_profile *seccomp;
};
struct pod_container {
	const char *name, *image;
	struct strings command, args;
	const char *working_dir;
	LIST(struct pod_env) env;
	LIST(struct pod_port) ports;
	struct pod_resources resources;
	LIST(struct pod_mount) mounts;
	struct pod_security security;
	int pull; /* enum pod_pull; Kubernetes' rule when absent: Always for :latest */
	bool stdin_open, stdin_once, tty;
};

struct pod_empty_dir {
	int medium;
	struct quantity size_limit;
};
struct pod_host_path_source {
	const char *path;
	int type;
};
struct pod_claim_source {
	const char *claim; /* claimName: in the Pod's namespace (api/claim.h) */
	bool read_only;
};
struct pod_volume {
	const char *name;
	const struct pod_empty_dir *empty_dir; /* exactly one source */
	const struct pod_host_path_source *host_path;
	const struct pod_claim_source *claim;
};
struct pod_host_alias {
	const char *ip;
	struct strings hostnames;
};
struct pod_pod_security { /* defaults for all containers */
	const int64_t *run_as_user, *run_as_group;
	const bool *run_as_non_root;
	struct { int64_t *items; size_t count; } supplemental_groups;
	const struct pod_seccomp_profile *seccomp;
};
enum toleration_operator { TOLERATION_EQUAL = 1, TOLERATION_EXISTS };
struct toleration {
	const char *key;        /* "" with Exists: every taint */
	int operator;
	const char *value;
	int effect;             /* enum taint_effect; 0: all */
	const int64_t *seconds; /* of NoExecute: how long; NULL: for ever */
};
bool toleration_matches(const struct toleration *t, const struct taint *taint);

enum spread_action { SPREAD_DO_NOT_SCHEDULE = 1, SPREAD_SCHEDULE_ANYWAY };
struct spread_constraint {
	int32_t max_skew;
	const char *topology_key;
	int when_unsatisfiable;
	const struct label_selector *selector;
};
/* Affinity: only what manifests need most: nodes by label, and never two of one kind in one domain. */
struct node_selector_term {
	LIST(struct selector_requirement) match_expressions;
};
struct pod_anti_affinity_term {
	const struct label_selector *selector;
	const char *topology_key;
};
struct pod_affinity {
	LIST(struct node_selector_term) node_required; /* any of them; empty: no condition */
	LIST(struct pod_anti_affinity_term) anti_required;
};

struct pod_spec {
	LIST(struct pod_container) containers;
	LIST(struct pod_volume) volumes;
	LIST(struct pod_host_alias) host_aliases;
	int restart; /* enum pod_restart */
	int64_t grace_seconds; /* between stop signal and KILL */
	bool host_network;
	bool host_users; /* true: no user namespace */
	const char *hostname; /* NULL: the Pod's name */
	struct pod_pod_security security;
	const char *node_name; /* where it is bound; NULL: not yet. Written by the scheduler's bind only */
	struct string_map node_selector;
	LIST(struct toleration) tolerations;
	LIST(struct spread_constraint) spread;
	struct pod_affinity affinity;
};

/* ---- status, written by the node's agent ---- */

enum pod_phase { POD_PENDING = 1, POD_RUNNING, POD_SUCCEEDED, POD_FAILED, POD_UNKNOWN };
struct container_waiting {
	const char *reason; /* "ContainerCreating", "ImagePullBackOff", "CrashLoopBackOff", "CreateContainerError" */
	const char *message;
};
struct container_running {
	struct api_time started;
};
struct container_terminated {
	int32_t code, signal;
	const char *reason; /* "Completed", "Error", "OOMKilled", "ContainerStatusUnknown" */
	const char *message;
	struct api_time started, finished;
	const char *container_id;
};
struct container_state { /* one of them */
	const struct container_waiting *waiting;
	const struct container_running *running;
	const struct container_terminated *terminated;
};
struct container_status {
	const char *name;
	struct container_state state, last_state;
	bool ready, started;
	int32_t restarts;
	const char *image, *image_id; /* as asked for; NAME@DIGEST as run */
	const char *container_id;     /* "stube-runtime://..." */
};
struct pod_ip {
	const char *ip;
};
struct pod_status {
	int phase;
	struct conditions conditions; /* "PodScheduled", "Initialized", "ContainersReady", "Ready" */
	const char *message;
	const char *reason;           /* "Evicted", "NodeLost", "Unschedulable" is a condition's */
	const char *host_ip, *pod_ip;
	LIST(struct pod_ip) pod_ips;
	struct api_time start_time;
	LIST(struct container_status) containers;
	const char *qos_class;
	int64_t observed_generation;
};
struct pod {
	const char *api_version, *kind;
	struct meta metadata;
	struct pod_spec spec;
	struct pod_status status;
};

extern const struct type t_pod;

/* Decode and check a Pod. name: what errors call the document. EINVAL:
 * "web.json:7:5: spec.containers[0].lifecycle: is not supported". */
err *pod_decode(struct arena *arena, const char *name, const char *text, size_t len, const struct pod **ret)
	MUST_CHECK;

/* The rules between fields, for a Pod that was built in memory. Errors name the path. */
err *pod_check(const struct pod *pod) MUST_CHECK;

/* One Pod, in the order of the tables: same input, same bytes. */
void pod_encode(struct str *out, const struct pod *pod, unsigned indent);

/* Fill a Pod with the defaults that decoding "{}" would give; then set members. */
err *pod_defaults(struct arena *arena, struct pod *pod) MUST_CHECK;
err *pod_container_defaults(struct arena *arena, struct pod_container *container) MUST_CHECK;

/* The status as `kubectl get` shows it in one word: "Running", "CrashLoopBackOff", "Terminating". */
const char *pod_status_word(const struct pod *pod);
bool pod_is_ready(const struct pod *pod);   /* its condition Ready is true */
bool pod_is_over(const struct pod *pod);    /* Succeeded or Failed: it will not run again */
const char *pod_on_node_loss(const struct pod *pod); /* "replace", "keep" or "stop"; see api/meta.h */

extern const struct type t_pod_spec, t_pod_status;

/* Guaranteed: limits of processor and memory for all containers, and requests equal to them; best effort:
 * none of either; else burstable. One of these very texts, so that they may be compared by address. */
extern const char pod_guaranteed[], pod_burstable[], pod_best_effort[];
const char *pod_qos_class(const struct pod_spec *spec);

/* A name as Kubernetes allows them for objects: RFC 1123 label, at most 63 bytes. */
bool pod_is_label(const char *text);
