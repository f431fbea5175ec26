// SPDX-License-Identifier: Apache-2.0

package workload

import "slices"

// thirdParty are the kinds of others that are known without a WorkloadKind. The
// chart's rules and rights are held to this table.
//
// Kinds whose objects only make others of these are not in it: a RayCluster of a
// RayJob or a JobSet of a TrainJob has a controller, and a TrainJob has no pod
// template, but names a runtime that has one.
var thirdParty = []Kind{
	kubeflow("JAXJob", "jaxjobs", ".spec.jaxReplicaSpecs.*.template"),
	// Version 2 of its operator has the same resource in the same group.
	withVersion(kubeflow("MPIJob", "mpijobs", ".spec.mpiReplicaSpecs.*.template"), "v2beta1"),
	kubeflow("PaddleJob", "paddlejobs", ".spec.paddleReplicaSpecs.*.template"),
	kubeflow("PyTorchJob", "pytorchjobs", ".spec.pytorchReplicaSpecs.*.template"),
	kubeflow("TFJob", "tfjobs", ".spec.tfReplicaSpecs.*.template"),
	kubeflow("XGBoostJob", "xgboostjobs", ".spec.xgbReplicaSpecs.*.template"),
	{
		Group: "ray.io", Versions: v1, Kind: "RayCluster", Resource: "rayclusters", Carries: true,
		Paths: mustPaths(".spec.headGroupSpec.template", ".spec.workerGroupSpecs[*].template"),
	},
	{
		Group: "ray.io", Versions: v1, Kind: "RayJob", Resource: "rayjobs", Carries: true,
		Paths: mustPaths(".spec.rayClusterSpec.headGroupSpec.template", ".spec.rayClusterSpec.workerGroupSpecs[*].template", ".spec.submitterPodTemplate"),
	},
	{
		Group: "ray.io", Versions: v1, Kind: "RayService", Resource: "rayservices", Carries: true,
		Paths: mustPaths(".spec.rayClusterConfig.headGroupSpec.template", ".spec.rayClusterConfig.workerGroupSpecs[*].template"),
	},
	{
		// Its replicatedJobs are immutable, as the templates of Jobs are.
		Group: "jobset.x-k8s.io", Versions: []string{"v1alpha2"}, Kind: "JobSet", Resource: "jobsets", Carries: true, OnlyNew: true,
		Paths: mustPaths(".spec.replicatedJobs[*].template.spec.template"),
	},
	{
		Group: "leaderworkerset.x-k8s.io", Versions: v1, Kind: "LeaderWorkerSet", Resource: "leaderworkersets", Carries: true,
		Paths: mustPaths(".spec.leaderWorkerTemplate.leaderTemplate", ".spec.leaderWorkerTemplate.workerTemplate"),
	},
	{
		// One with a workloadRef has no template of its own.
		Group: "argoproj.io", Versions: []string{"v1alpha1"}, Kind: "Rollout", Resource: "rollouts", Carries: true, Paths: inSpec,
	},
	{
		// Its controller looks up images before there is a pod. A template may have the name
		// of its revision, and must not change under that name.
		Group: "serving.knative.dev", Versions: v1, Kind: "Service", Resource: "services", Carries: true, Paths: inSpec,
		Revisions: true, PullSecrets: true,
	},
}

func kubeflow(kind, resource, path string) Kind {
	return Kind{Group: "kubeflow.org", Versions: v1, Kind: kind, Resource: resource, Paths: mustPaths(path), Carries: true}
}

func withVersion(kind Kind, version string) Kind {
	kind.Versions = append(slices.Clone(kind.Versions), version)
	return kind
}

// ThirdParty are the kinds of others that are known without a WorkloadKind.
func ThirdParty() []Kind { return slices.Clone(thirdParty) }
