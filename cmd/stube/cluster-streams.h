/* cmd/stube/cluster-streams.h: logs of Pods, and commands in them. */
#pragma once
#include "cmd/stube/cluster.h"

/* Whether an operand of logs and exec names something of the cluster: TYPE/NAME, or any NAME beside --namespace. */
bool cluster_is_meant(const struct cluster_args *args, const char *operand);

/* A container of this machine that is not there may have been meant as a Pod: nothing is looked for in both
 * places (docs/decisions/0085), so a hint says how to name it. */
err *local_or_pod(err *e, const struct cluster_args *args, const char *command, const char *name) MUST_CHECK;

/* As shells have it: 127 for a command that is not there, 126 for one that may not be executed; else
 * *ret_status stays. The runtime's words say so, which containerd and others read, too. */
err *exec_status(err *e, int *ret_status) MUST_CHECK;

/* The logs of a Pod, or of all Pods of a Deployment or ReplicaSet, each line with its Pod's name: one Pod
 * after the other, or all at once when they are followed. */
err *cluster_logs(const struct cluster_args *args, char *operand, const struct api_log_query *query,
		  int *ret_status) MUST_CHECK;
/* The same of all Pods with these labels. */
err *cluster_logs_selected(const struct cluster_args *args, const char *selector,
			   const struct api_log_query *query) MUST_CHECK;

/* A command in a Pod, or in the first running Pod of a Deployment or ReplicaSet. */
err *cluster_exec(const struct cluster_args *args, char *operand, const struct api_exec *exec, int *ret_status) MUST_CHECK;
