/* cmd/stube/cluster-streams.h: logs of Pods, and commands in them. */
#pragma once
#include "cmd/stube/cluster.h"

/* Whether an operand of logs and exec names something of the cluster: TYPE/NAME, or any NAME beside --namespace. */
bool cluster_is_meant(const struct cluster_args *args, const char *operand);

/* The logs of a Pod, or of all Pods of a Deployment or ReplicaSet, one after the other, each line with its Pod's name. */
err *cluster_logs(const struct cluster_args *args, char *operand, const struct api_log_query *query) MUST_CHECK;

/* A command in a Pod, or in the first running Pod of a Deployment or ReplicaSet. */
err *cluster_exec(const struct cluster_args *args, char *operand, const struct api_exec *exec, int *ret_status) MUST_CHECK;
