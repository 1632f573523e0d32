/* api/pod-qos.c: a Pod's class of service, as Kubernetes computes it. */
#include "api/pod.h"
#include "base/macro.h"

const char pod_guaranteed[] = "Guaranteed", pod_burstable[] = "Burstable", pod_best_effort[] = "BestEffort";

const char *pod_qos_class(const struct pod_spec *spec)
{
	bool any = false, all = true;

	for (size_t i = 0; i < spec->containers.count; i++) {
		const struct pod_resources *r = &spec->containers.items[i].resources;
		const struct quantity *const pairs[][2] = { { &r->limits.cpu, &r->requests.cpu },
							    { &r->limits.memory, &r->requests.memory } };

		for (size_t k = 0; k < ARRAY_LEN(pairs); k++) {
			any = any || pairs[k][0]->given || pairs[k][1]->given;
			all = all && pairs[k][0]->given &&
			      (!pairs[k][1]->given || pairs[k][0]->milli == pairs[k][1]->milli);
		}
	}
	return !any ? pod_best_effort : all ? pod_guaranteed : pod_burstable;
}
