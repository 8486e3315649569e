//! The suite on both backends.

#[cfg(test)]
mod embedded {
    use keelson_api_store::testing::EmbeddedBackend;

    keelson_api_store::conformance_tests!(EmbeddedBackend::start());
}

#[cfg(test)]
mod etcd {
    use keelson_api_store::testing::EtcdBackend;

    keelson_api_store::conformance_tests!(EtcdBackend::start());
}
