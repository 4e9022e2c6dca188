"""The merchant's side: adapters beside their peers on PostgreSQL, and GetStatement of a day."""
