package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"time"

	redis8 "github.com/go-redis/redis/v8"
	"github.com/go-redsync/redsync/v4"
	"github.com/go-redsync/redsync/v4/redis/goredis/v9"
	"github.com/gomodule/redigo/redis"
	"github.com/hibiken/asynq"
	"github.com/mediocregopher/radix/v4"
	redis9 "github.com/redis/go-redis/v9"
	"github.com/redis/rueidis"
	"github.com/valkey-io/valkey-go"
)

// clients has one function for each client: it writes the marker, reads it again, and returns what the client reports.
var clients = map[string]func() error{
	"go_redis":    goRedis,
	"go_redis_v8": goRedis8,
	"redsync":     redSync,
	"redigo":      redigo,
	"rueidis":     rueidisClient,
	"valkey_go":   valkeyClient,
	"radix":       radixClient,
	"asynq":       asynqClient,
}

func compare(got string, err error) error {
	if err != nil {
		return err
	}
	if got != marker() {
		return fmt.Errorf("read %q", got)
	}
	return nil
}

func goRedis() error {
	options, err := redis9.ParseURL(entry("uri"))
	if err != nil {
		return err
	}
	options.MaxRetries = -1
	client := redis9.NewClient(options)
	if err := client.Set(context.Background(), "orders", marker(), 0).Err(); err != nil {
		return err
	}
	return compare(client.Get(context.Background(), "orders").Result())
}

func goRedis8() error {
	options, err := redis8.ParseURL(entry("uri"))
	if err != nil {
		return err
	}
	options.MaxRetries = -1
	client := redis8.NewClient(options)
	if err := client.Set(context.Background(), "orders", marker(), 0).Err(); err != nil {
		return err
	}
	return compare(client.Get(context.Background(), "orders").Result())
}

func redSync() error {
	options, err := redis9.ParseURL(entry("uri"))
	if err != nil {
		return err
	}
	client := redis9.NewClient(options)
	mutex := redsync.New(goredis.NewPool(client)).NewMutex("orders", redsync.WithTries(1), redsync.WithExpiry(10*time.Minute))
	if err := mutex.Lock(); err != nil {
		return err
	}
	return compare(marker(), client.Get(context.Background(), "orders").Err())
}

func redigo() error {
	connection, err := redis.DialURL(entry("uri"))
	if err != nil {
		return err
	}
	defer connection.Close()
	if _, err := connection.Do("SET", "orders", marker()); err != nil {
		return err
	}
	return compare(redis.String(connection.Do("GET", "orders")))
}

func rueidisClient() error {
	options, err := rueidis.ParseURL(entry("uri"))
	if err != nil {
		return err
	}
	options.DisableCache = true
	client, err := rueidis.NewClient(options)
	if err != nil {
		return err
	}
	defer client.Close()
	ctx := context.Background()
	if err := client.Do(ctx, client.B().Set().Key("orders").Value(marker()).Build()).Error(); err != nil {
		return err
	}
	return compare(client.Do(ctx, client.B().Get().Key("orders").Build()).ToString())
}

func valkeyClient() error {
	options, err := valkey.ParseURL(entry("uri"))
	if err != nil {
		return err
	}
	client, err := valkey.NewClient(options)
	if err != nil {
		return err
	}
	defer client.Close()
	ctx := context.Background()
	if err := client.Do(ctx, client.B().Set().Key("orders").Value(marker()).Build()).Error(); err != nil {
		return err
	}
	return compare(client.Do(ctx, client.B().Get().Key("orders").Build()).ToString())
}

func radixClient() error {
	dialer := radix.Dialer{
		AuthPass:  entry("password"),
		SelectDB:  entry("database"),
		NetDialer: &tls.Dialer{Config: &tls.Config{ServerName: entry("host")}},
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	client, err := dialer.Dial(ctx, "tcp", address())
	if err != nil {
		return err
	}
	defer client.Close()
	if err := client.Do(ctx, radix.Cmd(nil, "SET", "orders", marker())); err != nil {
		return err
	}
	var got string
	err = client.Do(ctx, radix.Cmd(&got, "GET", "orders"))
	return compare(got, err)
}

func asynqClient() error {
	options, err := asynq.ParseRedisURI(entry("uri"))
	if err != nil {
		return err
	}
	client := asynq.NewClient(options)
	defer client.Close()
	info, err := client.Enqueue(asynq.NewTask("echo", []byte(marker())))
	if err != nil {
		return err
	}
	inspector := asynq.NewInspector(options)
	defer inspector.Close()
	task, err := inspector.GetTaskInfo(info.Queue, info.ID)
	if err != nil {
		return err
	}
	return compare(string(task.Payload), nil)
}
