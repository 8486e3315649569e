use super::*;

/// The route in a few words, for tables.
fn read(request: &str) -> String {
    let (method, uri) = request.split_once(' ').unwrap();
    let (path, query) = uri.split_once('?').map_or((uri, None), |(path, query)| (path, Some(query)));
    match route(&method.parse().unwrap(), path, &Query::parse(query)) {
        Ok(Route::Call(Call { verb, kind, namespace, name })) => {
            format!("{verb:?} {} {namespace}/{name}", kind.plural)
        }
        Ok(route) => format!("{route:?}"),
        Err(error) => format!("{} {:?}", error.code(), error.reason()),
    }
}

#[test]
fn requests_mean_what_kubernetes_means_by_them() {
    for (request, meaning) in [
        ("GET /", "Root"),
        ("GET /version", "Version"),
        ("GET /version/", "Version"),
        ("GET /api", "CoreVersions"),
        ("GET /apis/", "Groups"),
        ("GET /apis/coordination.k8s.io", "Group(\"coordination.k8s.io\")"),
        ("GET /api/v1", "Resources(\"\", \"v1\")"),
        ("GET /apis/coordination.k8s.io/v1", "Resources(\"coordination.k8s.io\", \"v1\")"),
        ("GET /openapi/v2", "OpenApiV2"),
        ("GET /openapi/v3", "OpenApiV3"),
        ("GET /swaggerapi", "Swagger"),
        ("GET /openid/v1/jwks", "Keys"),
        ("GET /.well-known/openid-configuration", "Issuer"),
        ("POST /apis/authentication.k8s.io/v1/tokenreviews", "Create tokenreviews /"),
        (
            "POST /apis/authorization.k8s.io/v1/namespaces/a/localsubjectaccessreviews",
            "Create localsubjectaccessreviews a/",
        ),
        ("GET /apis/authentication.k8s.io/v1/tokenreviews", "405 MethodNotAllowed"),
        ("GET /apis/authentication.k8s.io/v1/tokenreviews/a", "404 NotFound"),
        ("POST /api/v1/namespaces/a/serviceaccounts/robot/token", "CreateToken serviceaccounts a/robot"),
        (
            "GET /openapi/v3/apis/coordination.k8s.io/v1?hash=1",
            "OpenApiV3Of(\"apis/coordination.k8s.io/v1\")",
        ),
        ("GET /api/v1/pods", "List pods /"),
        ("HEAD /api/v1/pods", "List pods /"),
        ("GET /api/v1/namespaces/default/pods?watch=false", "List pods default/"),
        ("GET /api/v1/namespaces/default/pods?watch=true", "Watch pods default/"),
        ("GET /api/v1/watch/pods", "Watch pods /"),
        ("GET /api/v1/watch/namespaces/default/pods", "Watch pods default/"),
        ("GET /api/v1/watch/namespaces/default/pods/web", "Watch pods default/web"),
        ("GET /api/v1/watch/namespaces", "Watch namespaces /"),
        ("GET /api/v1/watch/namespaces/default", "Watch namespaces /default"),
        ("GET /api/v1/watch/nodes/n1", "Watch nodes /n1"),
        ("POST /api/v1/namespaces/default/pods", "Create pods default/"),
        ("DELETE /api/v1/namespaces/default/pods", "DeleteCollection pods default/"),
        ("GET /api/v1/namespaces/default/pods/web", "Get pods default/web"),
        ("GET /api/v1/namespaces/default/pods/a%2Eb", "Get pods default/a.b"),
        ("PUT /api/v1/namespaces/default/pods/web", "Update pods default/web"),
        ("PATCH /api/v1/namespaces/default/pods/web", "Patch pods default/web"),
        ("DELETE /api/v1/namespaces/default/pods/web", "Delete pods default/web"),
        ("GET /api/v1/namespaces/default/pods/web/status", "Get pods default/web"),
        ("PUT /api/v1/namespaces/default/pods/web/status", "UpdateStatus pods default/web"),
        ("PATCH /api/v1/namespaces/default/pods/web/status", "PatchStatus pods default/web"),
        ("GET /api/v1/namespaces/default/pods/web/log", "Log pods default/web"),
        ("POST /api/v1/namespaces/default/pods/web/binding", "Bind pods default/web"),
        ("POST /api/v1/namespaces/default/bindings", "Bind bindings default/"),
        ("POST /api/v1/namespaces/default/pods/web/exec", "Exec pods default/web"),
        ("GET /api/v1/namespaces/default/pods/web/attach", "Attach pods default/web"),
        ("POST /api/v1/namespaces/default/pods/web/portforward", "PortForward pods default/web"),
        ("PUT /api/v1/namespaces/default/pods/web:80/proxy/a//b/", "Proxy pods default/web:80"),
        ("OPTIONS /api/v1/namespaces/default/services/https:s:x/proxy", "Proxy services default/https:s:x"),
        ("GET /api/v1/proxy/nodes/n1/healthz", "Proxy nodes /n1"),
        ("POST /api/v1/namespaces/default/pods/web/eviction", "Evict pods default/web"),
        ("GET /api/v1/componentstatuses", "List componentstatuses /"),
        ("GET /api/v1/componentstatuses/etcd-0", "Get componentstatuses /etcd-0"),
        ("GET /api/v1/namespaces/default", "Get namespaces /default"),
        ("POST /api/v1/namespaces", "Create namespaces /"),
        ("PUT /api/v1/namespaces/default/finalize", "Finalize namespaces /default"),
        ("PUT /api/v1/namespaces/default/status", "UpdateStatus namespaces /default"),
        ("PUT /api/v1/nodes/n1/status", "UpdateStatus nodes /n1"),
        ("GET /api/v1/namespaces/a/replicationcontrollers/rc/scale", "GetScale replicationcontrollers a/rc"),
        (
            "PUT /api/v1/namespaces/a/replicationcontrollers/rc/scale",
            "UpdateScale replicationcontrollers a/rc",
        ),
        (
            "PATCH /api/v1/namespaces/a/replicationcontrollers/rc/scale",
            "PatchScale replicationcontrollers a/rc",
        ),
        ("GET /apis/coordination.k8s.io/v1/leases", "List leases /"),
        ("PUT /apis/coordination.k8s.io/v1/namespaces/n/leases/l", "Update leases n/l"),
    ] {
        assert_eq!(read(request), meaning, "{request}");
    }
}

#[test]
fn what_is_not_served_is_refused_with_the_right_code() {
    for (request, meaning) in [
        ("POST /version", "405 MethodNotAllowed"),
        ("POST /api/v1/pods", "405 MethodNotAllowed"),
        ("DELETE /api/v1/pods", "405 MethodNotAllowed"),
        ("PUT /api/v1/namespaces/default/pods", "405 MethodNotAllowed"),
        ("POST /api/v1/namespaces/default/pods/web", "405 MethodNotAllowed"),
        ("POST /api/v1/namespaces/default/pods/web/log", "405 MethodNotAllowed"),
        ("GET /api/v1/namespaces/default/bindings", "405 MethodNotAllowed"),
        ("POST /api/v1/watch/pods", "405 MethodNotAllowed"),
        ("GET /api/v1/namespaces/default/bindings/b", "404 NotFound"),
        ("GET /api/v2", "404 NotFound"),
        ("GET /api/v1/widgets", "404 NotFound"),
        ("GET /apis/apps/v1/deployments", "404 NotFound"),
        ("GET /apis//v1/pods", "404 NotFound"),
        ("GET /api/v1/pods/web", "404 NotFound"),
        ("GET /api/v1/namespaces/default/nodes/n1", "404 NotFound"),
        ("GET /api/v1/namespaces/default/pods/web/none", "404 NotFound"),
        ("GET /api/v1/namespaces/default/pods/web/log/more", "404 NotFound"),
        ("GET /api/v1/namespaces//pods", "404 NotFound"),
        ("GET /api/v1/namespaces/default/pods/%ff", "400 BadRequest"),
        ("PATCH /api/v1/namespaces/default/pods/web/ephemeralcontainers", "501 NotImplemented"),
        ("POST /api/v1/componentstatuses", "405 MethodNotAllowed"),
        ("DELETE /api/v1/componentstatuses/etcd-0", "405 MethodNotAllowed"),
        ("GET /api/v1/componentstatuses?watch=true", "405 MethodNotAllowed"),
        ("GET /api/v1/watch/componentstatuses", "405 MethodNotAllowed"),
    ] {
        assert_eq!(read(request), meaning, "{request}");
    }
}
