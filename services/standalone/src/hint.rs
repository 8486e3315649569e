//! What to type next.

use std::io::{self, Write};

use crate::cluster::Cluster;

/// Writes a line on standard output; nobody need listen.
macro_rules! say {
    ($($part:tt)*) => { let _ = writeln!(io::stdout(), $($part)*); };
}

/// Prints what to type next.
pub(crate) fn print(cluster: &Cluster, demo: bool) {
    let data = cluster.data().path().display();
    let pki = cluster.data().pki();
    let pki = pki.display();
    let grpc = cluster.grpc();
    say!("\nThe data, the certificates and the kubeconfig are in {data}. Type next:\n");
    say!("  export KUBECONFIG={data}/kubeconfig");
    say!("  kubectl get nodes");
    say!("  kubectl get pods -A -o wide");
    if demo {
        say!("  kubectl describe service my-service");
        say!("  kubectl scale rc my-app --replicas=5");
    }
    say!();
    say!("  creds=\"-cacert {pki}/ca.crt -cert {pki}/admin.crt -key {pki}/admin.key\"");
    say!("  grpcurl $creds {grpc} list");
    say!("  grpcurl $creds -d '{{\"namespace\":\"default\"}}' {grpc} keelson.v1.Pods/List");
    say!("  grpcurl $creds -d '{{\"namespace\":\"default\"}}' {grpc} keelson.v1.Pods/Watch");
    for (name, address) in cluster.nodes() {
        say!("  grpcurl $creds {address} keelson.v1.Kubelet/Pods    # node {name}");
    }
    say!("\nCtrl-C stops it and removes its containers; the objects stay.");
}
