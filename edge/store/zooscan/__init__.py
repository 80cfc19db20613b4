"""What is written about ZooScan scans. Functions take the writer's connection, inside the writer's transaction."""
