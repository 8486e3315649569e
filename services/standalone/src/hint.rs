//! What to type next.

use crate::cluster::Cluster;

/// Prints what to type next.
pub(crate) fn print(cluster: &Cluster, demo: bool) {
    let data = cluster.data().path().display();
    let pki = cluster.data().pki();
    let pki = pki.display();
    let grpc = cluster.grpc();
    println!("\nThe data, the certificates and the kubeconfig are in {data}. Type next:\n");
    println!("  export KUBECONFIG={data}/kubeconfig");
    println!("  kubectl get nodes");
    println!("  kubectl get pods -A -o wide");
    if demo {
        println!("  kubectl describe service my-service");
        println!("  kubectl scale rc my-app --replicas=5");
    }
    println!();
    println!("  creds=\"-cacert {pki}/ca.crt -cert {pki}/admin.crt -key {pki}/admin.key\"");
    println!("  grpcurl $creds {grpc} list");
    println!("  grpcurl $creds -d '{{\"namespace\":\"default\"}}' {grpc} keelson.v1.Pods/List");
    println!("  grpcurl $creds -d '{{\"namespace\":\"default\"}}' {grpc} keelson.v1.Pods/Watch");
    for (name, address) in cluster.nodes() {
        println!("  grpcurl $creds {address} keelson.v1.Kubelet/Pods    # node {name}");
    }
    println!("\nCtrl-C stops it and removes its containers; the objects stay.");
}
