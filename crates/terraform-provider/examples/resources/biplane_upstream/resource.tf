resource "biplane_upstream" "example" {
  name      = "pets"
  namespace = "default"
  static = {
    hosts = [{ addr = "127.0.0.1", port = 8081 }]
  }
  health_checks = [{
    interval            = "5s"
    timeout             = "1s"
    healthy_threshold   = 1
    unhealthy_threshold = 2
    http_health_check   = { path = "/health" }
  }]
}
